// Package vault is not written yet.
package vault
