// Package config gives the settings of a run: hostler.cfg and HOSTLER_* variables before ansible.cfg and ANSIBLE_*
// ones, each with the place that it came from. table.go lists every setting; it reads files and the environment, and
// decides nothing: package cmd turns settings into options.
package config
