package transport

import "io"

// handover reads a stream one chunk at a time beside others, and is an ordinary Reader afterwards
// that begins with the chunk somebody still waits for.
type handover struct {
	r       io.Reader
	waiting chan chunk // nil when no read is under way
	have    chunk
}

type chunk struct {
	data []byte
	err  error
}

// ask starts one read and sends i to answers when there is something to take.
func (h *handover) ask(i int, answers chan<- int) {
	h.waiting = make(chan chunk, 1)
	waiting := h.waiting
	go func() {
		buf := make([]byte, smallRead)
		n, err := h.r.Read(buf)
		waiting <- chunk{buf[:n], err}
		answers <- i
	}()
}

func (h *handover) take() chunk {
	c := <-h.waiting
	h.waiting = nil
	return c
}

func (h *handover) Read(p []byte) (int, error) {
	if h.waiting != nil {
		h.have = h.take()
	}
	if n := copy(p, h.have.data); n > 0 {
		h.have.data = h.have.data[n:]
		return n, nil
	}
	if h.have.err != nil {
		return 0, h.have.err
	}
	return h.r.Read(p)
}
