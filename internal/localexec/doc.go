// Package localexec is not written yet.
package localexec
