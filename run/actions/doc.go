// Package actions holds the tasks that change the run itself, one file each: debug, set_fact, assert, add_host,
// group_by, include_vars, meta, pause and their like. All lists them. They reach the run through the interface Run alone.
package actions
