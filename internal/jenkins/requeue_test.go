package jenkins

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestABuildIsAskedForAgainWithItsCauses(t *testing.T) {
	code, text, script, asked := 200, "ASKED\n", "", ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/scriptText":
			script = r.FormValue("script")
			w.WriteHeader(code)
			fmt.Fprint(w, text)
		case "/job/a/job/b/build", "/job/a/job/b/buildWithParameters":
			_ = r.ParseForm()
			asked = r.URL.Path + " " + r.Form.Get("N")
			w.WriteHeader(http.StatusCreated)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	client := New(server.URL, "admin", "x")
	ask := func(causes ...string) (bool, error) {
		script, asked = "", ""
		return client.AskAgain(t.Context(), "a/b", map[string]string{"N": "it's ${x}"}, causes)
	}

	carried, err := ask("Started by user O'Neil", "Started by timer")
	require.NoError(t, err)
	require.True(t, carried)
	require.Empty(t, asked, "not twice")
	var texts []string
	for _, one := range regexp.MustCompile(`'([A-Za-z0-9+/=]{4,})'`).FindAllStringSubmatch(script, -1) {
		if decoded, err := base64.StdEncoding.DecodeString(one[1]); err == nil {
			texts = append(texts, string(decoded))
		}
	}
	for _, want := range []string{"a/b", "N", "it's ${x}", "Started by user O'Neil", "Started by timer"} {
		require.Contains(t, texts, want)
		require.NotContains(t, script, "O'Neil", "no text of a user is part of the program")
	}

	carried, err = ask()
	require.NoError(t, err)
	require.False(t, carried)
	require.Empty(t, script, "there is nothing that a script could do better")
	require.Equal(t, "/job/a/job/b/buildWithParameters it's ${x}", asked)

	for _, one := range []struct {
		code int
		text string
	}{{501, "a stand-in"}, {403, "no"}, {200, "groovy.lang.MissingMethodException: createValue"}, {200, ""}} {
		code, text = one.code, one.text
		carried, err = ask("Started by timer")
		require.NoError(t, err, one.text)
		require.False(t, carried)
		require.NotEmpty(t, asked, "it is asked for all the same: %s", one.text)
	}

	code, text = 200, "GONE\n"
	_, err = ask("Started by timer")
	require.True(t, IsNotFound(err))
	text = "DISABLED\n"
	_, err = ask("Started by timer")
	require.True(t, IsConflict(err))
	require.Empty(t, asked)
}
