//go:build e2e

package disk

import (
	"bytes"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// starter runs functions on one thread that lasts as long as this process. The kernel kills a child when the thread that started it
// ends, not the process, so children are started here.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// Begin starts a program that is killed with this process, even when this process is killed itself.
func Begin(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	done := make(chan error)
	starter() <- func() { done <- cmd.Start() }
	return <-done
}

// Output runs a program as Begin does and gives all it prints.
func Output(cmd *exec.Cmd) (string, error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := Begin(cmd); err != nil {
		return "", err
	}
	err := cmd.Wait()
	return out.String(), err
}
