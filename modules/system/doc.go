// Package system is not written yet.
package system
