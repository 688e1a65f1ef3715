package transport

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

const testToken = "0123456789abcdef0123456789abcdef"

// FuzzFrames checks that output with a mark behind it comes out byte for byte, however it arrives.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("plain"), uint8(1))
	f.Add([]byte(""), uint8(3))
	f.Add([]byte(testToken[:31]), uint8(7))
	f.Add([]byte("0120123;;"+testToken[:5]+"\x00\xff"), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		if bytes.Contains(data, []byte(testToken)) {
			t.Skip("a token is random: no output holds it")
		}
		stream := string(data) + testToken + "E5:;" + string(data) + testToken + "E;rest"
		frames := frames{r: &stepReader{[]byte(stream), int(step)%97 + 1}, token: []byte(testToken)}
		for _, text := range []string{"5:", ""} {
			var out bytes.Buffer
			m, err := frames.next(&out)
			if err != nil || m.kind != 'E' || m.text != text || !bytes.Equal(out.Bytes(), data) {
				t.Fatalf("%q %q %+v %v", out.Bytes(), data, m, err)
			}
		}
		var out bytes.Buffer
		if _, err := frames.next(&out); !errors.Is(err, io.EOF) || out.String() != "rest" {
			t.Fatalf("%q %v", out.String(), err)
		}
	})
}

type stepReader struct {
	data []byte
	step int
}

func (s *stepReader) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.data)
	s.data = s.data[n:]
	return n, nil
}

func TestFramesRefuseGarbledMarks(t *testing.T) {
	for _, text := range []string{testToken + ";", testToken + string(make([]byte, 500))} {
		f := frames{r: iotest.OneByteReader(bytes.NewReader([]byte(text))), token: []byte(testToken)}
		if _, err := f.next(nil); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%q: %v", text[:33], err)
		}
	}
}

func TestFramesGiveTheSinksErrorAndStayInStep(t *testing.T) {
	f := frames{r: bytes.NewReader([]byte("one" + testToken + "E1;two" + testToken + "E2;")), token: []byte(testToken)}
	broken := errors.New("broken")
	m, err := f.next(writerFunc(func([]byte) (int, error) { return 0, broken }))
	if !errors.Is(err, broken) || !isSink(err) || m.text != "1" {
		t.Errorf("%+v %v", m, err)
	}
	if m, err := f.next(io.Discard); err != nil || m.text != "2" {
		t.Errorf("%+v %v", m, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
