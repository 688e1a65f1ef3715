package transporttest

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/hostlerhq/hostler/transport"
)

// talk sends each byte only when the one before came back: none may be held back, whatever the mark of the end begins with.
func talk(ctx context.Context, t *testing.T, h host) {
	input, ask := io.Pipe()
	answer, output := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		out, err := h.Exec(ctx, transport.Command{
			Script: `echo said >&2; dd bs=1 2>/dev/null; exit 3`, Duplex: true, Input: input, Stdout: output,
		})
		output.CloseWithError(io.EOF)
		if string(out.Stderr) != "said\n" || out.Status != 3 {
			t.Errorf("status %d, stderr %q", out.Status, out.Stderr)
		}
		ended <- err
	}()
	for _, b := range everyByte() {
		if _, err := ask.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		got := []byte{0}
		if _, err := io.ReadFull(answer, got); err != nil || got[0] != b {
			t.Fatalf("sent %x, got %x, %v", b, got, err)
		}
	}
	ask.Close()
	if rest, err := io.ReadAll(answer); err != nil || len(rest) > 0 {
		t.Errorf("at the end %q came, %v", rest, err)
	}
	if _, ok := errors.AsType[*transport.ExitError](<-ended); !ok {
		t.Error("the status is no error")
	}
}
