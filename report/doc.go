// Package report is not written yet.
package report
