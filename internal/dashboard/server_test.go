package dashboard

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOthersGetNothingWithoutPasswordAndTLS(t *testing.T) {
	secured := Options{User: "ann", Password: "p", TLSCert: "c", TLSKey: "k"}
	for name, test := range map[string]struct {
		o    Options
		want string
	}{
		"loopback":        {Options{Listen: "127.0.0.1:0"}, ""},
		"IPv6 loopback":   {Options{Listen: "[::1]:0"}, ""},
		"by name":         {Options{Listen: "localhost:0"}, ""},
		"all addresses":   {Options{Listen: ":7080"}, "--insecure-listen"},
		"another":         {Options{Listen: "10.0.0.1:7080"}, "--insecure-listen"},
		"without TLS":     {Options{Listen: "10.0.0.1:7080", User: "ann", Password: "p"}, "--tls-cert"},
		"no port":         {Options{Listen: "localhost"}, "HOST:PORT"},
		"half a login":    {Options{Listen: "127.0.0.1:0", User: "ann"}, "--password-file"},
		"half a key pair": {Options{Listen: "127.0.0.1:0", TLSCert: "c"}, "--tls-key"},
		"meant so":        {Options{Listen: "0.0.0.0:7080", Insecure: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.o.Check()
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
	secured.Listen = "0.0.0.0:7080"
	require.NoError(t, secured.Check())
}

func get(t *testing.T, url string, change func(r *http.Request)) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	if change != nil {
		change(request)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	hub := newTestHub(t, newWorld())
	hub.Poll(t.Context())
	url := serveTest(t, hub, Access{})
	for _, path := range []string{"/", "/app.js", "/style.css", "/icon.svg", "/metrics", "/nothing"} {
		answer := get(t, url+path, nil)
		require.Contains(t, answer.Header.Get("Content-Security-Policy"), "default-src 'none'", path)
		require.NotContains(t, answer.Header.Get("Content-Security-Policy"), "unsafe", path)
		require.Equal(t, "nosniff", answer.Header.Get("X-Content-Type-Options"), path)
	}
	for _, host := range []string{"evil.example", "10.0.0.1:7080"} {
		answer := get(t, url, func(r *http.Request) { r.Host = host })
		require.Equal(t, http.StatusMisdirectedRequest, answer.StatusCode, "a foreign page must not read the cluster through a name of its own")
	}
	answer := get(t, url, func(r *http.Request) { r.Method = http.MethodPost })
	require.Equal(t, http.StatusMethodNotAllowed, answer.StatusCode, "the page changes nothing")
}

func TestAPasswordIsAskedForEverywhere(t *testing.T) {
	hub := newTestHub(t, newWorld())
	hub.Poll(t.Context())
	url := serveTest(t, hub, Access{User: "ann", Password: "right"})
	for _, path := range []string{"/", "/events", "/metrics", "/app.js"} {
		require.Equal(t, http.StatusUnauthorized, get(t, url+path, nil).StatusCode, path)
		require.Equal(t, http.StatusUnauthorized, get(t, url+path, func(r *http.Request) { r.SetBasicAuth("ann", "wrong") }).StatusCode, path)
		require.Equal(t, http.StatusOK, get(t, url+path, func(r *http.Request) { r.SetBasicAuth("ann", "right") }).StatusCode, path)
	}
}

// keyPair writes a certificate of its own for 127.0.0.1.
func keyPair(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", keyDER), pool
}

func TestThePageIsServedOverTLSUntilTheEnd(t *testing.T) {
	hub := newTestHub(t, newWorld())
	hub.Poll(t.Context())
	cert, key, pool := keyPair(t)
	options := Options{Listen: "127.0.0.1:0", User: "ann", Password: "p", TLSCert: cert, TLSKey: key}
	server, err := Listen(hub, options)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	url := options.URL(server.Addr())
	require.Regexp(t, `^https://127\.0\.0\.1:\d+/$`, url)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"events", nil)
	require.NoError(t, err)
	request.SetBasicAuth("ann", "p")
	answer, err := client.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	cancel() // while a browser listens
	require.NoError(t, <-ended)
	_, err = io.Copy(io.Discard, answer.Body)
	_ = err // the stream has ended, in one way or another

	_, err = Listen(hub, Options{Listen: "127.0.0.1:0", TLSCert: key, TLSKey: key})
	require.ErrorContains(t, err, "reading the certificate")
}
