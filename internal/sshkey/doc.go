// Package sshkey is not written yet.
package sshkey
