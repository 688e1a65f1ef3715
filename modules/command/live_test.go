package command_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hostlerhq/hostler/jinja/value"
	"github.com/hostlerhq/hostler/modules"
	"github.com/hostlerhq/hostler/modules/command"
	"github.com/hostlerhq/hostler/transport"
)

// openLocal opens this machine the way a run does.
func openLocal(t *testing.T) transport.Conn {
	t.Helper()
	pool := transport.NewPool(transport.PoolOptions{})
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	conn, err := pool.Open(t.Context(), transport.Endpoint{Name: "here", Kind: "local"}, transport.Become{})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestOverTheRealTransport runs the same tasks with and without somebody who watches.
func TestOverTheRealTransport(t *testing.T) {
	conn := openLocal(t)
	for _, watched := range []bool{false, true} {
		for _, c := range []struct {
			m    *modules.Module
			args *value.Dict
			want string
		}{
			{command.Command, value.NewDict("cmd", "echo one"), `changed=true failed=false skipped=false rc="0" cmd="[echo one]" stdout="one"`},
			{command.Command, value.NewDict("cmd", "nosuch"), `changed=false failed=true skipped=false rc="2" cmd="nosuch" msg="[Errno 2] No such file or directory: b'nosuch'"`},
			{command.Shell, value.NewDict("cmd", "echo a; echo b >&2; echo $K; exit 7"), `changed=true failed=true skipped=false rc="7" cmd="echo a; echo b >&2; echo $K; exit 7" stdout="a\nv'" stderr="b" msg="non-zero return code"`},
			{command.Shell, value.NewDict("cmd", "wc -c", "stdin", strings.Repeat("é", 50000)), `changed=true failed=false skipped=false rc="0" cmd="wc -c" stdout="100001"`},
			{command.Raw, value.NewDict("_raw_params", "echo raw"), `changed=true failed=false skipped=false rc="0" stdout="raw\n"`},
			{command.Ping, nil, `changed=false failed=false skipped=false ping="pong"`},
		} {
			var seen [2]strings.Builder
			opts := modules.HostOptions{Conn: conn, Env: map[string]string{"K": "v'"}}
			if watched {
				opts.Live = func(stderr bool, chunk []byte) {
					if stderr {
						seen[1].Write(chunk)
					} else {
						seen[0].Write(chunk)
					}
				}
			}
			r, err := c.m.Run(t.Context(), modules.NewHost(opts), c.args)
			if err != nil {
				t.Errorf("%s: %v", c.m.Name, err)
				continue
			}
			if got := summary(r); got != c.want {
				t.Errorf("%s, watched %v:\n got %s\nwant %s", c.m.Name, watched, got, c.want)
			}
			out := r.Data.Str("stdout")
			if watched && r.Changed && strings.TrimRight(seen[0].String(), "\n") != strings.TrimRight(out, "\n") {
				t.Errorf("%s: watched %q, registered %q", c.m.Name, seen[0].String(), out)
			}
		}
	}
}

// chopped hands output on a byte at a time.
type chopped struct{ transport.Conn }

func (c chopped) Exec(_ context.Context, cmd transport.Command) (transport.Output, error) {
	_, err := io.Copy(cmd.Stdout, iotest.OneByteReader(strings.NewReader("@@run\nhello\nyou\n")))
	return transport.Output{}, err
}

func TestLiveOutputHasNoHeader(t *testing.T) {
	var seen strings.Builder
	h := modules.NewHost(modules.HostOptions{Conn: chopped{}, Live: func(_ bool, chunk []byte) { seen.Write(chunk) }})
	r, err := command.Command.Run(t.Context(), h, value.NewDict("cmd", "x"))
	if err != nil || r.Failed || seen.String() != "hello\nyou\n" || r.Data.Str("stdout") != "hello\nyou" {
		t.Errorf("err %v, %s, watched %q, registered %q", err, r.Msg, seen.String(), r.Data.Str("stdout"))
	}
}
