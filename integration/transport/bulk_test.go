//go:build integration

package integration

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/hostlerhq/hostler/transport"
	"github.com/hostlerhq/hostler/transport/transporttest"
)

// BenchmarkBulk compares a large file through Put and Get with one through SFTP on the same server: why the transport does
// without SFTP.
func BenchmarkBulk(b *testing.B) {
	s := transporttest.SSHD(b, transporttest.SSHDOptions{})
	p := transport.NewPool(transport.PoolOptions{})
	defer p.Close()
	c, err := p.Open(b.Context(), endpoint(s, "root"), transport.Become{})
	if err != nil {
		b.Fatal(err)
	}
	files := sftpClient(b, s)
	content := bytes.Repeat([]byte("0123456789abcde\n"), 256<<20/16)
	path := filepath.Join(b.TempDir(), "content")
	each := func(name string, move func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				if err := move(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	each("put", func() error {
		return c.Put(b.Context(), path, bytes.NewReader(content), transport.PutOptions{Size: int64(len(content))})
	})
	each("sftp put", func() error {
		f, err := files.Create(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if _, err := f.ReadFrom(bytes.NewReader(content)); err != nil {
			return err
		}
		return f.Sync()
	})
	each("get", func() error {
		r, err := c.Get(b.Context(), path)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(io.Discard, r)
		return err
	})
	each("sftp get", func() error {
		f, err := files.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteTo(io.Discard)
		return err
	})
}

func sftpClient(b *testing.B, s *transporttest.Server) *sftp.Client {
	b.Helper()
	text, err := os.ReadFile(s.KeyFile)
	if err != nil {
		b.Fatal(err)
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := ssh.Dial("tcp", s.Addr(), &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	files, err := sftp.NewClient(conn, sftp.UseConcurrentWrites(true))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = files.Close() })
	return files
}
