package moduletest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Asked is what a Site was asked.
type Asked struct {
	Method, Path, Body string
	Header             http.Header
}

// Site is a web server for tests: files, redirects, passwords, answers that are broken, cut or never end.
type Site struct {
	*httptest.Server
	To string // where /elsewhere leads
	CA string // a file with the certificate of who signed the server's

	mu   sync.Mutex
	seen []Asked
	cuts int
	more map[string][]byte
}

// Serve has the site give content at path, with an ETag of its own.
func (s *Site) Serve(path string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more == nil {
		s.more = map[string][]byte{}
	}
	s.more[path] = content
}

// served answers with what Serve was given; with cut it ends halfway through what was asked for.
func served(w http.ResponseWriter, r *http.Request, content []byte, cut bool) {
	w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(content))[:16]))
	if !cut {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
		return
	}
	from := 0
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
	}
	rest := content[from:]
	w.Header().Set("Content-Length", fmt.Sprint(len(rest)))
	if from > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	_, _ = w.Write(rest[:len(rest)/2])
	panic(http.ErrAbortHandler)
}

// Cut lets the next n answers of /cut, or of what Serve was given, end halfway.
func (s *Site) Cut(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cuts = n
}

// SiteText is what a Site has under /text.
const SiteText = "hello from the server\n"

// SiteLarge is what a Site has under /cut: long enough that a cut leaves something.
func SiteLarge() []byte { return bytes.Repeat([]byte("0123456789abcdef"), 64<<10) }

// NewSite starts a Site on the loopback, which the test's end stops; over TLS it is called localhost.
func NewSite(t *testing.T, overTLS bool) *Site {
	t.Helper()
	s := &Site{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	if overTLS {
		s.CA = signed(t, s.Server)
		s.StartTLS()
		s.URL = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// signed gives a server a certificate for localhost that an authority of its own signed, whose certificate is in the file.
func signed(t *testing.T, s *httptest.Server) string {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	sign := func(c, parent *x509.Certificate, public, private any) []byte {
		der, err := x509.CreateCertificate(rand.Reader, c, parent, public, private)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	from, until := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: from, NotAfter: until, DNSNames: []string{"localhost"}}
	caKey, leafKey := key(), key()
	der := sign(leaf, ca, &leafKey.PublicKey, caKey)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: leafKey}}}
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sign(ca, ca, &caKey.PublicKey, caKey)})
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// Last is what the server was asked last.
func (s *Site) Last() Asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) == 0 {
		return Asked{}
	}
	return s.seen[len(s.seen)-1]
}

// Count is how often it was asked.
func (s *Site) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

func (s *Site) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.seen = append(s.seen, Asked{r.Method, r.URL.RequestURI(), string(body), r.Header.Clone()})
	cuts := s.cuts
	content, more := s.more[r.URL.Path]
	if (r.URL.Path == "/cut" || more && r.Method == http.MethodGet) && cuts > 0 {
		s.cuts--
	}
	s.mu.Unlock()
	if more {
		served(w, r, content, cuts > 0 && r.Method == http.MethodGet)
		return
	}
	switch path := r.URL.Path; path {
	case "/text", "/named":
		if path == "/named" {
			w.Header().Set("Content-Disposition", `attachment; filename="other.txt"`)
		}
		http.ServeContent(w, r, "text.txt", time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC), strings.NewReader(SiteText))
	case "/sums":
		sum := sha256.Sum256([]byte(SiteText))
		fmt.Fprintf(w, "%064d  else\n%s *./text\n", 0, hex.EncodeToString(sum[:]))
	case "/sum":
		sum := sha256.Sum256([]byte(SiteText))
		fmt.Fprintln(w, hex.EncodeToString(sum[:]))
	case "/keys":
		fmt.Fprint(w, "# keys\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOne one@example\nssh-dss AAAABDss two\n")
	case "/nothing":
	case "/app.tgz":
		_, _ = w.Write(archived())
	case "/gzip":
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed())
	case "/cut", "/always-cut":
		w.Header().Set("ETag", `"one"`)
		if cuts == 0 && path == "/cut" {
			http.ServeContent(w, r, "big", time.Time{}, bytes.NewReader(SiteLarge()))
			return
		}
		all := SiteLarge()
		w.Header().Set("Content-Length", fmt.Sprint(len(all)))
		_, _ = w.Write(all[:len(all)/2])
		panic(http.ErrAbortHandler)
	case "/slow":
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	case "/none":
		http.Error(w, "there is none", http.StatusNotFound)
	case "/broken":
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = conn.Write([]byte("SSH-2.0-nothing here\r\n\r\n"))
			_ = conn.Close()
		}
	case "/to-text", "/to-none", "/to-slash/", "/to-json":
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "yes", Path: "/"})
		w.Header().Set("Location", "/"+strings.TrimSuffix(strings.TrimPrefix(path, "/to-"), "/"))
		w.WriteHeader(http.StatusFound)
	case "/elsewhere":
		http.Redirect(w, r, s.To, http.StatusFound)
	case "/again":
		http.Redirect(w, r, "/again", http.StatusFound)
	case "/kept":
		http.Redirect(w, r, "/echo", http.StatusTemporaryRedirect)
	case "/locked":
		user, password, ok := r.BasicAuth()
		if !ok || user != "me" || password != `pa"ss\ wört` {
			w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, SiteText)
	case "/json":
		w.Header().Set("Content-Type", "application/json")
		w.Header().Add("X-Two", "a")
		w.Header().Add("X-Two", "b")
		http.SetCookie(w, &http.Cookie{Name: "c", Value: "1"})
		fmt.Fprint(w, `{"a": [1, "é"]}`)
	case "/latin":
		w.Header().Set("Content-Type", "text/plain; charset=iso-8859-1")
		_, _ = w.Write([]byte{'e', 0xe9, '\n'})
	case "/echo":
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintf(w, "%s %s %s", r.Method, r.Header.Get("Content-Type"), body)
	default:
		http.NotFound(w, r)
	}
}

// archived is a tar, packed by gzip, of app/file, which is SiteText.
func archived() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	at := time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	_ = w.WriteHeader(&tar.Header{Name: "app/", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: at})
	_ = w.WriteHeader(&tar.Header{Name: "app/file", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(SiteText)), ModTime: at})
	_, _ = w.Write([]byte(SiteText))
	_ = w.Close()
	_ = z.Close()
	return b.Bytes()
}

// packed is SiteText as gzip packs it.
func packed() []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(SiteText))
	_ = z.Close()
	return b.Bytes()
}
