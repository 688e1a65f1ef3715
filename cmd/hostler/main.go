// Command hostler runs playbooks and single modules on hypervisors over SSH.
package main

func main() {}
