// Package transporttest is not written yet.
package transporttest
