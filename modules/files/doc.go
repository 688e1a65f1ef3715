// Package files is not written yet.
package files
