#!/bin/bash -e
args='<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>'
name=${args#*\"name\": \"}
echo "{\"stdout\": \"${name%%\"*}\", \"ansible_facts\": {\"inlined_fact\": \"${name%%\"*}\"}}"
