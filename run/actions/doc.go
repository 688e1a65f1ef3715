// Package actions is not written yet.
package actions
