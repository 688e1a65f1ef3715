// Package practice is not written yet.
package practice
