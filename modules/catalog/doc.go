// Package catalog is not written yet.
package catalog
