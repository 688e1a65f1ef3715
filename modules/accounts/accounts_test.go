package accounts

import (
	"testing"

	"github.com/hostlerhq/hostler/modules/moduletest"
)

func TestUser(t *testing.T) { moduletest.Run(t, User, "testdata/user/*.txtar") }

func TestGroup(t *testing.T) { moduletest.Run(t, Group, "testdata/group/*.txtar") }

func TestGetent(t *testing.T) { moduletest.Run(t, Getent, "testdata/getent/*.txtar") }
