package cluster

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFirstLine(t *testing.T) {
	for body, want := range map[string]string{
		"":                          "",
		"\n\n  one\ntwo":            "one",
		"<html><title> T </title>x": "T",
		"<title>never closed":       "<title>never closed",
		"{\"message\":\"m\"}":       "{\"message\":\"m\"}",
		strings.Repeat("ä", 150):    strings.Repeat("ä", 100) + "...",
	} {
		assert.Equal(t, want, firstLine(body))
	}
	assert.Equal(t, strings.Repeat("ä", 2)+"...", shorten("äää", 5), "no half letters")
}

func TestErrorTextAndHint(t *testing.T) {
	assert.NoError(t, failed("do", "x", nil))
	err := failed("do", "x", errors.New("why"))
	assert.EqualError(t, err, "do on x: why")
	assert.EqualError(t, failed("do", "", errors.New("why")), "do: why")
	assert.Empty(t, hintOf(err))
	assert.Empty(t, hintOf(errors.New("plain")))
	held := failed("take", "x", &HeldError{Path: "/p", Owner: []byte("{}")})
	assert.Contains(t, hintOf(held), "wait for the other run", "the cause's own hint")
	status := &StatusError{Method: "GET", URL: "http://a/b", Code: 503}
	assert.EqualError(t, status, "GET http://a/b: HTTP 503: Service Unavailable")
}

func TestSendKeepsAPostThroughASchemeRelativeRedirect(t *testing.T) {
	var got []string
	leader := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Content-Type"))
		w.WriteHeader(http.StatusAccepted)
	}))
	defer leader.Close()
	standby := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "//"+leader.Listener.Addr().String()+"/master"+r.URL.Path+"?x=1")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	defer standby.Close()
	client := newHTTP(nil)
	answer, err := send(context.Background(), client, request{method: http.MethodPost, url: standby.URL + "/api/v1", contentType: jsonType, body: []byte("{}")})
	require.NoError(t, err)
	assert.Equal(t, http.StatusAccepted, answer.code)
	assert.Equal(t, []string{"POST /master/api/v1?x=1 application/json"}, got)

	other := httptest.NewServer(http.RedirectHandler("/elsewhere", http.StatusFound))
	defer other.Close()
	answer, err = send(context.Background(), client, request{method: http.MethodGet, url: other.URL})
	require.NoError(t, err)
	assert.Equal(t, http.StatusFound, answer.code, "only 307 is Mesos' own")
}

func TestSendRefusesABadLocation(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://bad host/")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	_, err := send(context.Background(), newHTTP(nil), request{method: http.MethodGet, url: server.URL})
	assert.ErrorContains(t, err, "Location")
	_, err = send(context.Background(), newHTTP(nil), request{method: "bad method", url: server.URL})
	assert.Error(t, err)
}

func TestDecode(t *testing.T) {
	var out struct{ A int }
	require.NoError(t, decode("GET", reply{code: 200, body: []byte(`{"a":1}`)}, &out))
	assert.Equal(t, 1, out.A)
	require.NoError(t, decode("GET", reply{code: 204}, nil))
	assert.ErrorContains(t, decode("GET", reply{code: 200, body: []byte("<html>"), url: "u"}, &out), "GET u: not the JSON that was expected")
	var status *StatusError
	require.ErrorAs(t, decode("GET", reply{code: 307}, &out), &status)
}

func TestWithScheme(t *testing.T) {
	assert.Equal(t, "http://a:1", withScheme("a:1"))
	assert.Equal(t, "https://a/b", withScheme("https://a/b/"))
}

// What is worth asking again, and what is an answer.
func TestFinalAndTransient(t *testing.T) {
	for err, want := range map[error]bool{
		&StatusError{Code: 400}: true, &StatusError{Code: 503}: false, ErrNoLeader: false, context.Canceled: true,
	} {
		assert.Equal(t, want, final(err), err)
	}
	for err, want := range map[error]bool{
		&StatusError{Code: 502}: true, &StatusError{Code: 401}: false, &LockedError{}: false, ErrNotFound: false,
		&StatusError{Code: 500, Body: `{"message":"URI not found"}`}: false, ErrNoLeader: true,
	} {
		assert.Equal(t, want, transient(err), err)
	}
}
