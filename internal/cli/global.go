package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/jomctl/jomctl/internal/config"
)

const defaultFile = "cluster.yaml"

// globalOptions are the flags of every command.
type globalOptions struct {
	File    string
	Output  outputFormat
	Yes     bool
	Verbose bool
	LogFile string
}

func (g *globalOptions) bind(flags *pflag.FlagSet) {
	if g.File == "" {
		g.File = defaultFile
	}
	if g.Output == "" {
		g.Output = formatText
	}
	flags.StringVarP(&g.File, "file", "f", g.File, "the cluster file; its folder also keeps the state, in .jomctl")
	flags.VarP(&g.Output, "output", "o", "what stdout gets: text or json")
	flags.BoolVar(&g.Yes, "yes", g.Yes, "do not ask for confirmation")
	flags.BoolVar(&g.Verbose, "verbose", g.Verbose, "say everything on stderr, without drawing over it")
	flags.StringVar(&g.LogFile, "log-file", g.LogFile, "where the log goes, instead of .jomctl/log")
}

// stateDir is where the journal, the lock and the logs are. It does not need a valid cluster file.
func (g *globalOptions) stateDir() string {
	return (&config.Cluster{File: g.File}).StateDir()
}

func (g *globalOptions) journalDir() string { return filepath.Join(g.stateDir(), "journal") }

// outputFormat is a flag with two values.
type outputFormat string

const (
	formatText outputFormat = "text"
	formatJSON outputFormat = "json"
)

var _ pflag.Value = (*outputFormat)(nil)

// String is the value.
func (f *outputFormat) String() string { return string(*f) }

// Type is what the help shows.
func (f *outputFormat) Type() string { return "text|json" }

// Set refuses what is neither.
func (f *outputFormat) Set(value string) error {
	switch outputFormat(value) {
	case formatText, formatJSON:
		*f = outputFormat(value)
		return nil
	}
	return fmt.Errorf("%q is not a format (want text or json)", value)
}
