// Package filters is not written yet.
package filters
