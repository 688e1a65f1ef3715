// Package transporttest helps to test what stands on transport: Fake is a Conn with scripted
// replies, Suite holds every Conn to the same contract.
package transporttest
