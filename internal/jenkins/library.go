package jenkins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/bndr/gojenkins"
)

// fence is the only way from gojenkins to the network. It takes the library's faults away at their root:
//   - its crumb request is answered here, and the client's own crumb and cookies are added: the library would
//     dereference nil when the server is gone, and lose the session behind a load balancer;
//   - an answer that is not a success is an error with its true status, instead of `invalid character '<'`;
//   - a redirect after a POST is the success that it means, instead of a page of HTML decoded as JSON;
//   - URLs that Jenkins reports are moved to the base in use: the library cuts one out of the other.
type fence struct {
	client *Client
	root   string
}

func (f *fence) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "/crumbIssuer/") {
		return answerTo(r, http.StatusNotFound, http.Header{}, []byte("{}")), nil
	}
	made := call{method: r.Method, path: strings.TrimPrefix(r.URL.String(), f.client.base), contentType: r.Header.Get("Content-Type")}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		made.body = string(body)
	}
	answer, err := f.client.do(r.Context(), made)
	if err != nil {
		return nil, err
	}
	code, body := answer.code, answer.body
	if r.Method == http.MethodPost && code >= 300 || code == http.StatusNoContent {
		code, body = http.StatusOK, []byte("{}")
	}
	if f.root != "" && strings.Contains(answer.header.Get("Content-Type"), "json") {
		body = bytes.ReplaceAll(body, []byte(f.root), []byte(f.client.base+"/"))
	}
	return answerTo(r, code, answer.header, body), nil
}

func answerTo(r *http.Request, code int, header http.Header, body []byte) *http.Response {
	return &http.Response{
		Status: fmt.Sprintf("%d %s", code, http.StatusText(code)), StatusCode: code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

// quiet keeps the library's package-level loggers away from our standard output. It is set before any goroutine can
// use them; Jenkins.Init, which would set them back to os.Stdout at each call, is never called.
func init() {
	nobody := log.New(io.Discard, "", 0)
	gojenkins.Info, gojenkins.Warning, gojenkins.Error = nobody, nobody, nobody
}

// root is the controller's first answer: what it thinks its own URL is, and the headers.
type root struct {
	url    string
	header http.Header
}

// with runs one piece of work with the library. It looks first whether Jenkins is up, so that nothing is posted to a
// server that is gone or starting, and makes an error of a panic.
func (c *Client) with(ctx context.Context, op string, work func(j *gojenkins.Jenkins, first root) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = c.failed(op, fmt.Errorf("gojenkins panicked: %v", p))
		}
	}()
	var raw struct {
		URL string `json:"url"`
	}
	answer, err := c.getJSON(ctx, "/api/json?tree=url", &raw)
	if err != nil {
		return c.failed(op, err)
	}
	first := root{url: raw.URL, header: answer.header}
	library := gojenkins.CreateJenkins(&http.Client{Transport: &fence{client: c, root: first.url}}, c.base)
	library.Raw = new(gojenkins.ExecutorResponse)
	return c.failed(op, unwrapURL(work(library, first)))
}

// unwrapURL drops the method and URL that net/http puts around our own errors, which have them already.
func unwrapURL(err error) error {
	var status *StatusError
	if errors.As(err, &status) {
		return status
	}
	return err
}
