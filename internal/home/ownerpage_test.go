package home

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/home/owner"
	"github.com/jomctl/jomctl/internal/testkit"
)

func TestTheOwnersPage(t *testing.T) {
	address := testkit.FreeAddr(t, "127.0.0.1")
	var lost error
	stop, err := serveOwner(address, func() (Ownership, error) { return Ownership{Epoch: 7, Host: "a1", Task: "t"}, lost })
	require.NoError(t, err)
	ask := func() (*http.Response, string) {
		response, err := http.Get("http://" + address + OwnerPath)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response, string(body)
	}
	response, body := ask()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, "7", response.Header.Get(EpochHeader))
	var o Ownership
	require.NoError(t, json.Unmarshal([]byte(body), &o))
	require.Equal(t, Ownership{7, "a1", "t"}, o)

	lost = owner.ErrLost
	response, body = ask()
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.Contains(t, body, "lock of the home is lost")

	_, err = serveOwner(address, nil)
	require.ErrorContains(t, err, "saying who owns the home")
	stop()
	_, err = net.Dial("tcp", address)
	require.Error(t, err)
	stop, err = serveOwner("", nil)
	require.NoError(t, err)
	stop()
}

// On a file system without locks the one that came last has written the owner file.
func TestAControllerWhoseHomeIsTakenIsEnded(t *testing.T) {
	c := controller(t, "secured")
	c.Owner = testkit.FreeAddr(t, "127.0.0.1")
	var out lockedBuffer
	type result struct {
		code int
		err  error
	}
	results := make(chan result, 1)
	go func() {
		code, err := Run(context.Background(), c, Streams{Out: &out, Err: &out})
		results <- result{code, err}
	}()
	testkit.Eventually(t, 20*time.Second, "it owns the home and is up", func(context.Context) bool {
		response, err := http.Get("http://" + c.Owner + OwnerPath)
		if err != nil {
			return false
		}
		response.Body.Close()
		conn, err := net.Dial("tcp", os.Getenv("HOST")+":"+os.Getenv("PORT0"))
		if err == nil {
			conn.Close()
		}
		return err == nil && response.StatusCode == http.StatusOK
	})
	file := filepath.Join(c.Home, ".jomctl", "owner")
	require.NoError(t, os.WriteFile(file, nil, 0o600), "being written: it says nothing yet")
	require.NoError(t, os.WriteFile(file, []byte("pid 1, task other\n"), 0o600))
	ended := <-results
	require.Equal(t, ExitFenced, ended.code)
	require.ErrorIs(t, ended.err, ErrTaken)
	require.ErrorContains(t, ended.err, "task other")
	_, err := net.Dial("tcp", c.Owner)
	require.Error(t, err, "nobody is led to it any more")
}

func TestAControllerThatCannotSayThatItOwnsDoesNotStart(t *testing.T) {
	c := controller(t, "secured")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	c.Owner = taken.Addr().String()
	code, err := Run(context.Background(), c, Streams{Out: io.Discard, Err: io.Discard})
	require.Equal(t, ExitPrepare, code)
	require.ErrorContains(t, err, "saying who owns the home")
}
