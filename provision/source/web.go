package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"
)

// maxSmall bounds what is read into memory: keys, Release files and indexes.
const maxSmall = 128 << 20

// FetchError is an address that did not give what was asked for.
type FetchError struct {
	URL string
	// Status is the answer's, 0 where there was none.
	Status  int
	problem string
	cause   error
}

// Error says whether the host could not be reached, or what it answered.
func (e *FetchError) Error() string { return e.URL + ": " + e.problem }

// Unwrap is the network's error.
func (e *FetchError) Unwrap() error { return e.cause }

// Missing says that the host answers, but does not have the file.
func (e *FetchError) Missing() bool {
	return e.Status == http.StatusNotFound || e.Status == http.StatusGone
}

// fix is what can be done about it.
func (e *FetchError) fix() string {
	switch {
	case e.Missing():
		return "the host is there, the file is not: look for its new name or version"
	case e.Status != 0:
		return "try again later, or name a mirror"
	}
	return "check this machine's network and proxy (HTTPS_PROXY); without internet, bring the files with `jomctl sources pack` and `unpack`"
}

// web fetches over HTTP.
type web struct{ client *http.Client }

func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = 30 * time.Second
	return &http.Client{Transport: transport}
}

func (w web) do(ctx context.Context, method, address string, header http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, &FetchError{URL: address, problem: err.Error(), cause: err}
	}
	request.Header = header.Clone()
	if request.Header == nil {
		request.Header = http.Header{}
	}
	request.Header.Set("User-Agent", "jomctl")
	response, err := w.client.Do(request)
	if err != nil {
		return nil, &FetchError{URL: address, problem: unreachable(err), cause: err}
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusPartialContent {
		response.Body.Close()
		return nil, &FetchError{URL: address, Status: response.StatusCode, problem: "answers " + response.Status}
	}
	return response, nil
}

// unreachable says in words why there was no answer.
func unreachable(err error) string {
	var (
		dns     *net.DNSError
		unknown x509.UnknownAuthorityError
		cert    *tls.CertificateVerificationError
		wrapped *url.Error
	)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "the host name " + dns.Name + " does not resolve"
	case errors.As(err, &dns):
		return "the host name " + dns.Name + " cannot be resolved now (no network, or no name server)"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "cannot be reached: connection refused"
	case errors.As(err, &unknown) || errors.As(err, &cert):
		return "its TLS certificate is not trusted: " + err.Error()
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded):
		return "cannot be reached: no answer in time"
	}
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return "cannot be reached: " + err.Error()
}

// get reads something small.
func (w web) get(ctx context.Context, address string) ([]byte, error) {
	response, err := w.do(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxSmall+1))
	switch {
	case err != nil:
		return nil, &FetchError{URL: address, problem: "ended in the middle: " + err.Error(), cause: err}
	case len(data) > maxSmall:
		return nil, &FetchError{URL: address, problem: fmt.Sprintf("is larger than %d MB", maxSmall>>20)}
	}
	return data, nil
}

// open reads something large; the caller closes it.
func (w web) open(ctx context.Context, address string) (io.ReadCloser, error) {
	response, err := w.do(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// size asks whether the file is there; -1 where the host does not tell how large it is.
func (w web) size(ctx context.Context, address string) (int64, error) {
	response, err := w.do(ctx, http.MethodHead, address, nil)
	if err == nil {
		response.Body.Close()
		return response.ContentLength, nil
	}
	var failed *FetchError
	if !errors.As(err, &failed) || failed.Status == 0 || failed.Missing() {
		return 0, err
	}
	// Some hosts refuse HEAD: S3 answers 403 and some mirrors 405.
	response, err = w.do(ctx, http.MethodGet, address, http.Header{"Range": {"bytes=0-0"}})
	if err != nil {
		return 0, err
	}
	response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return response.ContentLength, nil
	}
	var total int64 = -1
	_, _ = fmt.Sscanf(response.Header.Get("Content-Range"), "bytes 0-0/%d", &total)
	return total, nil
}

// first tries addresses in their order and returns the first answer, or the first address's error.
func first[T any](addresses []string, try func(string) (T, error)) (T, string, error) {
	var (
		none  T
		cause error
	)
	for _, address := range addresses {
		answer, err := try(address)
		if err == nil {
			return answer, address, nil
		}
		if cause == nil {
			cause = err
		}
	}
	return none, "", cause
}
