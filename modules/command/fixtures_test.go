package command_test

import (
	"testing"

	"github.com/hostlerhq/hostler/modules/command"
	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestPing(t *testing.T) { moduletest.Run(t, command.Ping, "testdata/ping/*.txtar") }

func TestCommand(t *testing.T) { moduletest.Run(t, command.Command, "testdata/command/*.txtar") }
