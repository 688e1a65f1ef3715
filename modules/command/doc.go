// Package command is not written yet.
package command
