// Package moduletest is not written yet.
package moduletest
