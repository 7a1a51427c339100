package host

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// unitFiles are what Apply writes.
type unitFiles struct{ unit, env string }

// The lines by which Status knows what a file was when it was written. systemd ignores keys that begin with X-.
const (
	digestKey  = "X-JomctlDigest="
	envSumKey  = "X-JomctlEnvironment="
	textSumKey = "X-JomctlText="
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// renderUnit renders a spec as a systemd service and its environment file.
func renderUnit(u Unit) (unitFiles, error) {
	if err := u.validate(); err != nil {
		return unitFiles{}, err
	}
	env, err := renderEnv(u)
	if err != nil {
		return unitFiles{}, err
	}
	words := make([]string, len(u.Argv))
	for i, arg := range u.Argv {
		if err := printable(arg); err != nil {
			return unitFiles{}, fmt.Errorf("unit %s: argument %d: %w", u.Name, i, err)
		}
		words[i] = execWord(arg, i == 0)
	}
	for what, text := range map[string]string{"description": u.Description, "working folder": u.Dir} {
		if err := printable(text); err != nil || strings.ContainsAny(text, "\n\t") || strings.HasSuffix(text, `\`) || strings.TrimSpace(text) != text {
			return unitFiles{}, fmt.Errorf("unit %s: %s %q does not fit on a line of its own", u.Name, what, text)
		}
	}
	lines := []string{
		"# Written by jomctl, which puts changes right.",
		"[Unit]",
		"Description=" + literal(u.Description),
		"Wants=network-online.target",
		"After=network-online.target docker.service",
		"StartLimitIntervalSec=0",
		digestKey + u.Digest(),
		envSumKey + sha256Text(env),
		"",
		"[Service]",
		// An older systemd (before 240) does not know exec and takes simple.
		"Type=exec",
		"ExecStart=" + strings.Join(words, " "),
		"ExecStopPost=" + exitRecorder(u.Name),
		"WorkingDirectory=" + literal(u.Dir),
		"EnvironmentFile=" + envPath(u.Name),
		"Restart=always",
		"RestartSec=" + seconds(u.RestartDelay),
		"TimeoutStopSec=" + seconds(u.StopTimeout),
		"KillMode=" + map[KillMode]string{KillGroup: "control-group", KillProcess: "process"}[u.KillMode],
		"LimitNOFILE=65536",
		"StandardInput=null",
		"StandardOutput=journal",
		"StandardError=journal",
		"SyslogIdentifier=" + unitPrefix + u.Name,
	}
	if u.KillMode == KillProcess {
		// What the program starts lives on by itself: systemd must not count it, stop the program because one of its
		// tasks ran out of memory, or move its control groups.
		lines = append(lines, "Delegate=yes", "TasksMax=infinity", "OOMPolicy=continue")
	}
	lines = append(lines, "", "[Install]", "WantedBy=multi-user.target", "")
	text := strings.Join(lines, "\n")
	return unitFiles{unit: seal(text), env: env}, nil
}

// seal seals a file with the sum of its own text.
func seal(text string) string {
	sealed := textSumKey + sha256Text(text) + "\n"
	return strings.Replace(text, digestKey, sealed+digestKey, 1)
}

// intact says whether the text of a unit file is what was sealed.
func intact(text string) bool {
	_, after, found := strings.Cut(text, textSumKey)
	sum, _, whole := strings.Cut(after, "\n")
	return found && whole && sha256Text(strings.Replace(text, textSumKey+sum+"\n", "", 1)) == sum
}

// exitRecorder keeps how the program ended, which systemd forgets when it starts it again.
func exitRecorder(name string) string {
	// With whole paths, as it has the environment of the unit.
	script := `/bin/mkdir -p /run/jomctl && echo "$$EXIT_CODE $$EXIT_STATUS $$(/bin/date +%%s)" >` + exitPath(name)
	return `/bin/sh -c '` + script + `'`
}

// printable refuses what systemd does not take in any quoting.
func printable(text string) error {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return fmt.Errorf("%q is not text", text)
	}
	return nil
}

// literal keeps systemd from expanding %.
func literal(text string) string { return strings.ReplaceAll(text, "%", "%%") }

// execWord quotes one word of ExecStart. The program itself is not a place for variables, so a $ in it is not doubled.
func execWord(word string, program bool) string {
	var quoted strings.Builder
	quoted.WriteByte('"')
	for _, r := range word {
		switch {
		case r == '"' || r == '\\':
			quoted.WriteByte('\\')
			quoted.WriteRune(r)
		case r == '%':
			quoted.WriteString("%%")
		case r == '$' && !program:
			quoted.WriteString("$$")
		case r == '\n':
			quoted.WriteString(`\n`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&quoted, `\x%02x`, r)
		default:
			quoted.WriteRune(r)
		}
	}
	quoted.WriteByte('"')
	if plain := quoted.String()[1 : quoted.Len()-1]; plain == word && word != "" && !strings.ContainsAny(word, " ';") {
		return word
	}
	return quoted.String()
}

// renderEnv renders the environment for EnvironmentFile=, which knows no expansion, in quotes that old and new versions
// of systemd read alike.
func renderEnv(u Unit) (string, error) {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`")
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(u.Env)) {
		value := u.Env[name]
		if !variableName.MatchString(name) {
			return "", fmt.Errorf("unit %s: %q is no name of an environment variable", u.Name, name)
		}
		control := func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f }
		if err := printable(value); err != nil || strings.ContainsFunc(value, control) {
			return "", fmt.Errorf("unit %s: the value of %s has characters that systemd does not take", u.Name, name)
		}
		fmt.Fprintf(&text, "%s=\"%s\"\n", name, escape.Replace(value))
	}
	fmt.Fprintf(&text, "%s=%s\n", digestVariable, u.Digest())
	return text.String(), nil
}

func sha256Text(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
