package edit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/config"
	"github.com/jomctl/jomctl/internal/config/edit"
)

const hosts = `# Mine: keep this.
hosts:
  - {name: m1, address: 10.0.0.1, roles: [control]} # the old box
  # The home is on this one.
  - name: a1
    address: 10.0.0.2
    attributes:
      rack: r1
  - {name: a2, address: 10.0.0.3,
     roles: [mesos-agent]}

# And this.
ssh: {user: admin}
`

func host(name, address string) config.Host {
	return config.Host{Name: name, Address: address, Roles: []config.Role{config.RoleMesosAgent}}
}

func parse(t *testing.T, text string) *edit.File {
	t.Helper()
	f, err := edit.Parse([]byte(text))
	require.NoError(t, err)
	return f
}

func TestHosts(t *testing.T) {
	f := parse(t, hosts)
	require.NoError(t, f.AddHosts([]config.Host{host("a3", "10.0.0.4"), host("a4", "10.0.0.5")}))
	require.Equal(t, []string{
		"+ - {name: a3, address: 10.0.0.4, roles: [mesos-agent]}",
		"+ - {name: a4, address: 10.0.0.5, roles: [mesos-agent]}",
	}, edit.Diff([]byte(hosts), f.Text()))
	require.NoError(t, f.ReplaceHost("a1", host("b1", "10.0.0.9")))
	require.NoError(t, f.RemoveHosts([]string{"a2", "a3", "a4"}))
	require.Equal(t, `# Mine: keep this.
hosts:
  - {name: m1, address: 10.0.0.1, roles: [control]} # the old box
  # The home is on this one.
  - {name: b1, address: 10.0.0.9, roles: [mesos-agent]}

# And this.
ssh: {user: admin}
`, string(f.Text()))

	before := string(f.Text())
	require.ErrorIs(t, f.RemoveHosts([]string{"m1", "nobody"}), edit.ErrWritten)
	require.ErrorIs(t, f.ReplaceHost("nobody", host("b2", "10.0.0.8")), edit.ErrWritten)
	require.Equal(t, before, string(f.Text()), "all of it or nothing")
}

func TestHostsThatAreWrittenOtherwise(t *testing.T) {
	for name, text := range map[string]string{
		"none":        "name: ci\n",
		"one line":    "hosts: [{name: m1}]\n",
		"no name":     "hosts:\n  - {address: 10.0.0.1}\n",
		"no list":     "hosts: many\n",
		"empty list":  "hosts: []\n",
		"one by name": "hosts:\n  m1: {}\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, text)
			require.ErrorIs(t, f.AddHosts([]config.Host{host("a", "10.0.0.1")}), edit.ErrWritten)
			require.Equal(t, text, string(f.Text()))
		})
	}
	_, err := edit.Parse([]byte("- a\n- b\n"))
	require.ErrorIs(t, err, edit.ErrWritten)
	_, err = edit.Parse([]byte("a: [\n"))
	require.Error(t, err)
}

func TestNumbers(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no section":    {"# mine\n\n", "# mine\n\nname: ci\nlocal: {agents: 3}\n"},
		"flow":          {"local: {agents: 2, control: 1} # mine\n", "local: {agents: 3, control: 1} # mine\nname: ci\n"},
		"flow, empty":   {"local: {}\n", "local: {agents: 3}\nname: ci\n"},
		"flow, others":  {"local: {control: 1}\n", "local: {agents: 3, control: 1}\nname: ci\n"},
		"block":         {"local:\n  # mine\n  agents: 2 # two\n", "local:\n  # mine\n  agents: 3 # two\nname: ci\n"},
		"block, others": {"local:\n  control: 1\n  size: 2\n", "local:\n  agents: 3\n  control: 1\n  size: 2\nname: ci\n"},
		"block, one":    {"local:\n  control: 1\n", "local:\n  agents: 3\n  control: 1\nname: ci\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := parse(t, c.text+"name: ci\n")
			require.NoError(t, f.SetNumber("local", "agents", 3))
			require.Equal(t, c.want, string(f.Text()))
			require.NoError(t, f.SetNumber("local", "agents", 3), "again")
			require.Equal(t, c.want, string(f.Text()))
		})
	}
	require.ErrorIs(t, parse(t, "local: 3\n").SetNumber("local", "agents", 3), edit.ErrWritten)
	require.ErrorIs(t, parse(t, "local: {agents: \"2\"}\n").SetNumber("local", "agents", 3), edit.ErrWritten)
}

func TestLinesAndWords(t *testing.T) {
	f := parse(t, "name: \"ci\" # me\ntarget: local\n")
	require.False(t, f.Has("release"))
	require.NoError(t, f.SetWord("release", "default", "name"))
	require.NoError(t, f.SetWord("target", "hosts", "name"))
	require.NoError(t, f.SetLine("tuning", "tuning: {agentPing: 9s}"))
	require.NoError(t, f.SetLine("tuning", "tuning: {agentPing: 4s}"))
	require.NoError(t, f.SetWord("name", "other", "name"))
	require.True(t, f.Has("release"))
	require.Equal(t, "name: other # me\nrelease: default\ntarget: hosts\ntuning: {agentPing: 4s}\n", string(f.Text()))

	require.ErrorIs(t, f.SetWord("size", "1", "nothing"), edit.ErrWritten)
	for _, text := range []string{"tuning:\n  agentPing: 9s\n", "tuning: {agentPing: 9s} # mine\n", "tuning: {agentPing: 9s,\n  agentPings: 3}\n", "tuning: 3\n"} {
		require.ErrorIs(t, parse(t, text).SetLine("tuning", "tuning: {}"), edit.ErrWritten, text)
	}
}

// A file of Windows stays one, down to its last line.
func TestLineEndingsStay(t *testing.T) {
	text := "name: ci\r\nhosts:\r\n  - {name: m1, address: 10.0.0.1, roles: [control]} # mine\r\ntuning: {agentPing: 1s}\r\n"
	f := parse(t, text)
	require.NoError(t, f.AddHosts([]config.Host{host("a1", "10.0.0.2")}))
	require.NoError(t, f.SetWord("release", "new", "name"))
	require.NoError(t, f.SetWord("name", "other", "name"))
	require.NoError(t, f.SetLine("tuning", "tuning: {agentPing: 9s}"))
	require.NoError(t, f.SetNumber("local", "agents", 3))
	require.Equal(t, "name: other\r\nrelease: new\r\nhosts:\r\n  - {name: m1, address: 10.0.0.1, roles: [control]} # mine\r\n  - {name: a1, address: 10.0.0.2, roles: [mesos-agent]}\r\n"+
		"tuning: {agentPing: 9s}\r\nlocal: {agents: 3}\r\n", string(f.Text()))
	require.NotContains(t, string(f.Text()), "\r\r")
}

// What cannot be changed in its line is left to its author, and said so in words about the file, not about a text that nobody wrote.
func TestWordsThatAreWrittenOtherwise(t *testing.T) {
	for name, value := range map[string]string{
		"nothing": "", "a mapping": " {a: b}", "a list": "\n  - a", "a block": " |\n  a", "an anchor": " &a default", "a quoted quote": " \"a\\\"b\"", "another quoted quote": " 'it''s'",
		"two lines": " \"a\n  b\"",
	} {
		t.Run(name, func(t *testing.T) {
			text := "name: ci\nrelease:" + value + "\ntarget: local\n"
			f := parse(t, text)
			require.ErrorIs(t, f.SetWord("release", "new", "name"), edit.ErrWritten)
			require.Equal(t, text, string(f.Text()))
		})
	}
	f := parse(t, "{name: ci, target: local}\n")
	require.ErrorIs(t, f.SetWord("release", "new", "name"), edit.ErrWritten)
	f = parse(t, "name: ci\n...\n")
	require.ErrorIs(t, f.SetNumber("local", "agents", 3), edit.ErrWritten, "behind the end of the document")
	require.Equal(t, "name: ci\n...\n", string(f.Text()))
	_, err := edit.Parse([]byte("name: ci\n---\nname: other\n"))
	require.ErrorIs(t, err, edit.ErrWritten)
	for text, want := range map[string]string{
		"release:   \"old\"   # x": "release:   new   # x", "release: ~ # x": "release: new # x", "release: 1.10": "release: new", "release: 'ü' # ü": "release: new # ü", "release: a b # x": "release: new # x",
		"release:\n  old": "release:\n  new", "\xef\xbb\xbfrelease: old": "\xef\xbb\xbfrelease: new",
	} {
		f := parse(t, text+"\nname: ci\n")
		require.NoError(t, f.SetWord("release", "new", "name"), text)
		require.Equal(t, want+"\nname: ci\n", string(f.Text()))
	}
}

// Entries end where they end, whatever their last value is.
func TestEntriesWithValuesOverSeveralLines(t *testing.T) {
	const tail = "  # about a2\n  - {name: a2, address: 10.0.0.3}\n\n# And this.\nssh: {user: admin}\n"
	for name, last := range map[string]string{
		"nothing": "", "null": "    attributes:\n", "block": "    x: |\n      - one\n\n      # two\n      three\n", "quoted": "    x: \"a\n      b\"\n", "plain": "    x: a\n      b\n", "list": "    roles:\n    - control\n    - mesos-agent\n",
	} {
		t.Run(name, func(t *testing.T) {
			first := "  - name: a1\n    address: 10.0.0.2\n" + last
			f := parse(t, "hosts:\n"+first+tail)
			require.NoError(t, f.RemoveHosts([]string{"a1"}))
			require.Equal(t, "hosts:\n"+tail, string(f.Text()))
			f = parse(t, "hosts:\n"+first+"\n# And this.\nssh: {user: admin}\n")
			require.NoError(t, f.AddHosts([]config.Host{host("a3", "10.0.0.4")}))
			require.Equal(t, "hosts:\n"+first+"  - {name: a3, address: 10.0.0.4, roles: [mesos-agent]}\n\n# And this.\nssh: {user: admin}\n", string(f.Text()))
		})
	}
	f := parse(t, "hosts:\n  - {name: a1, address: 10.0.0.2}\n    # whatever comes\nssh: {user: admin}\n")
	require.NoError(t, f.RemoveHosts([]string{"a1"}))
	require.Equal(t, "hosts:\n    # whatever comes\nssh: {user: admin}\n", string(f.Text()), "a comment stays")
}
