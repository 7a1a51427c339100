package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jomctl/jomctl/internal/ui"
)

var (
	codeSpan    = regexp.MustCompile("`([^`\n]*)`")
	commandLike = regexp.MustCompile(`(?:^|\s|bin/|\./)jomctl\s`)
)

// commandLines are the command lines of jomctl in the code blocks and code spans of a page, without jomctl itself.
func commandLines(page string) []string {
	var code []string
	block := false
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			block = !block
		case block:
			line, _, _ = strings.Cut(" "+line, " #")
			code = append(code, line)
		default:
			for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
				code = append(code, span[1])
			}
		}
	}
	var all []string
	for _, line := range code {
		parts := commandLike.Split(line+" ", -1)
		for _, part := range parts[1:] {
			part, _, _ = strings.Cut(part, "&&")
			all = append(all, strings.Trim(part, " ,"))
		}
	}
	return all
}

// unknown is the first word of a command line that the program does not know, empty where it knows all of it. Words are written
// as in a manual: a|b, [--flag], NAME.
func unknown(cmd *cobra.Command, words []string) string {
	for i, word := range words {
		word = strings.Trim(word, "[],.;")
		children := cmd.Commands()
		switch {
		case strings.HasPrefix(word, "-"):
			if !hasFlag(cmd, word) {
				return word
			}
		case len(children) == 0 || word == "" || i > 0 && strings.HasPrefix(words[i-1], "-"):
		default:
			for _, name := range strings.Split(word, "|") {
				at := slices.IndexFunc(children, func(c *cobra.Command) bool { return c.Name() == name })
				if at < 0 {
					return name
				}
				if rest := unknown(children[at], words[i+1:]); rest != "" {
					return rest
				}
			}
			return ""
		}
	}
	return ""
}

func hasFlag(cmd *cobra.Command, word string) bool {
	cmd.InitDefaultHelpFlag()
	name, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
	if strings.HasPrefix(word, "--") {
		return cmd.Flag(name) != nil
	}
	return cmd.Flags().ShorthandLookup(name) != nil || cmd.InheritedFlags().ShorthandLookup(name) != nil
}

func programTree() *cobra.Command {
	streams, _, _, _ := ui.Buffers()
	return (&app{streams: streams, commands: commands, log: &logFile{}}).root()
}

func TestEveryCommandOfThePagesExistsWithItsFlags(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	seen := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, line := range commandLines(string(text)) {
			seen++
			assert.Empty(t, unknown(programTree(), strings.Fields(line)), "%s: jomctl %s", page, line)
		}
	}
	require.Greater(t, seen, 30, "the pages are full of commands")
}

// TestEveryCommandOfAFixExists looks at what findings, hints and helps tell users to type.
func TestEveryCommandOfAFixExists(t *testing.T) {
	seen := 0
	for _, dir := range []string{"../../internal", "../../provision"} {
		require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, span := range codeSpan.FindAllStringSubmatch(string(text), -1) {
				if line, ok := strings.CutPrefix(span[1], "jomctl "); ok && !strings.ContainsAny(line, "\"%") {
					seen++
					assert.Empty(t, unknown(programTree(), strings.Fields(line)), "%s: jomctl %s", path, line)
				}
			}
			return err
		}))
	}
	require.Greater(t, seen, 30)
}

func TestWhatIsUnknownInACommandLine(t *testing.T) {
	for line, want := range map[string]string{
		"install --name ci --yes":           "",
		"install [--plan] -o json":          "",
		"-f x.yaml status --watch":          "",
		"config validate|show|schema":       "",
		"status --wach":                     "--wach",
		"stauts":                            "stauts",
		"config validate|shw":               "shw",
		"agents drain a2 --timeout 30m":     "",
		"agents drain a2 --patience=30m":    "--patience=30m",
		"destroy -x":                        "-x",
		"agents list|add --address 1.2.3.4": "--address",
	} {
		require.Equal(t, want, unknown(programTree(), strings.Fields(line)), line)
	}
	require.Equal(t, []string{"status --watch", "agents list", "control add", "destroy", "plan"},
		commandLines("run `jomctl status --watch`, says jomctl here\n```\n$ jomctl agents list   jomctl control add # jomctl x\ncd demo && ../bin/jomctl destroy && ls\n```\nand `jomctl plan`.\n"))
}
