// Package facts is what is known about a host: Script gathers it in one round trip, Parse
// makes typed Facts of what the script printed. It contacts nothing itself.
package facts
