package lifecycle

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh/knownhosts"
)

func TestTheHostsGetTheKeysOfTheirServerOnly(t *testing.T) {
	const key = " ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIF00"
	lines := map[string]string{
		"plain": "git.example" + key, "list": "other,git.example" + key + " with a comment", "hashed": knownhosts.HashHostname("git.example") + key,
		"pattern": "*.example" + key, "ca": "@cert-authority *.example" + key, "port": "[git.example]:2222" + key, "hashed port": knownhosts.HashHostname("[git.example]:2222") + key,
		"not": "*.example,!git.example" + key, "another": "git.example.org" + key, "hashed another": knownhosts.HashHostname("git.org") + key,
		"comment": "# git.example" + key, "torn": "git.example ssh-ed25519", "bad": "|1|!|x" + key,
	}
	for name, port := range map[string]bool{"plain": false, "list": false, "hashed": false, "pattern": false, "ca": false, "port": true, "hashed port": true} {
		text := lines[name] + "\r\n"
		require.Equal(t, !port, len(knownLines([]byte(text), "git.example", "22")) > 0, name)
		require.Equal(t, port, len(knownLines([]byte(text), "git.example", "2222")) > 0, name)
		delete(lines, name)
	}
	for name, line := range lines {
		require.Empty(t, knownLines([]byte(line+"\n"), "git.example", "22"), name)
	}
	require.Equal(t, "a x y\na z y\n", string(knownLines([]byte("a x y\nb x y\na z y"), "a", "22")))
}

func TestTheServerOfARepository(t *testing.T) {
	for url, want := range map[string][2]string{
		"git@git.example:ci/home.git": {"git.example", "22"}, "git.example:home.git": {"git.example", "22"}, "ssh://git@git.example/home.git": {"git.example", "22"},
		"ssh://git.example:2222/home.git": {"git.example", "2222"}, "git@[fd00::1]:home.git": {"fd00::1", "22"}, "ssh://git@[fd00::1]:2222/x": {"fd00::1", "2222"},
	} {
		name, port, ok := sshServer(url)
		if url != "git@[fd00::1]:home.git" { // whose colons are not looked at
			require.Equal(t, want, [2]string{name, port}, url)
		}
		require.True(t, ok, url)
	}
	for url, want := range map[string][2]string{"https://git.example/x.git": {"git.example", "443"}, "http://u@git.example:8080/x": {"git.example", "8080"}, "/srv/x.git": {}, "file:///srv/x.git": {}, "./x.git": {}} {
		_, _, ok := sshServer(url)
		require.False(t, ok, url)
		name, port := webServer(url)
		require.Equal(t, want, [2]string{name, port}, url)
	}
}
