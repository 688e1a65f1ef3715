package main

import (
	"net"
	"time"
)

// newRelay forwards TCP connections to target, holding every byte back for half of roundTrip in each
// direction, as a link with that round trip and no limit of bandwidth does.
func newRelay(listen, target string, roundTrip time.Duration) (net.Listener, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go relayed(c, target, roundTrip)
		}
	}()
	return l, nil
}

func relayed(c net.Conn, target string, roundTrip time.Duration) {
	time.Sleep(roundTrip) // the handshake of TCP
	up, err := net.Dial("tcp", target)
	if err != nil {
		c.Close()
		return
	}
	go delayed(up, c, roundTrip/2)
	delayed(c, up, roundTrip/2)
}

// delayed copies from src to dst, each piece after its time, and closes both at the end.
func delayed(dst, src net.Conn, wait time.Duration) {
	type piece struct {
		due  time.Time
		data []byte
	}
	line := make(chan piece, 4096)
	go func() {
		defer close(line)
		for {
			buf := make([]byte, 32<<10)
			n, err := src.Read(buf)
			if n > 0 {
				line <- piece{time.Now().Add(wait), buf[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range line {
		time.Sleep(time.Until(p.due))
		if _, err := dst.Write(p.data); err != nil {
			break
		}
	}
	dst.Close()
	src.Close()
	for range line { // let the reader end
		continue
	}
}
