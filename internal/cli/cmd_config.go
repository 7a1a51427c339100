package cli

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/config"
)

func newConfigCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check and show the cluster file", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }} // without it cobra takes any argument
	cmd.AddCommand(
		&cobra.Command{
			Use:   "validate",
			Short: "Check the cluster file and list everything that is wrong with it",
			Args:  cobra.NoArgs,
			RunE:  func(*cobra.Command, []string) error { return runConfigValidate(a) },
		},
		&cobra.Command{
			Use:   "show",
			Short: "Print the cluster file with all defaults",
			Args:  cobra.NoArgs,
			RunE:  func(*cobra.Command, []string) error { return runConfigShow(a) },
		},
		&cobra.Command{
			Use:   "schema",
			Short: "Print the JSON Schema of cluster files, for editors",
			Args:  cobra.NoArgs,
			RunE:  func(*cobra.Command, []string) error { return runConfigSchema(a) },
		},
	)
	return cmd
}

// problemJSON is one problem as -o json shows it.
type problemJSON struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Path   string `json:"path,omitempty"`
	Value  string `json:"value,omitempty"`
	Rule   string `json:"rule"`
	Fix    string `json:"fix,omitempty"`
}

type validationJSON struct {
	File     string        `json:"file"`
	Valid    bool          `json:"valid"`
	Problems []problemJSON `json:"problems"`
	Notes    []string      `json:"notes"`
}

func runConfigValidate(a *app) error {
	cluster, err := config.Load(a.global.File)
	var problems config.Problems
	if err != nil && !errors.As(err, &problems) {
		return err
	}
	if a.global.Output == formatJSON {
		return validateAsJSON(a, cluster, problems)
	}
	if err != nil {
		return err
	}
	for _, note := range config.Notes(cluster) {
		a.say("Note: %s", note)
	}
	_, err = fmt.Fprintf(a.streams.Out, "%s is valid\n", a.global.File)
	return err
}

func validateAsJSON(a *app, cluster *config.Cluster, problems config.Problems) error {
	answer := validationJSON{File: a.global.File, Valid: len(problems) == 0, Problems: []problemJSON{}, Notes: []string{}}
	for _, p := range problems {
		answer.Problems = append(answer.Problems, problemJSON{p.File, p.Line, p.Column, p.Path, p.Value, p.Rule, p.Fix})
	}
	if answer.Valid {
		answer.Notes = append(answer.Notes, config.Notes(cluster)...)
	}
	if err := a.writeJSON(answer); err != nil || answer.Valid {
		return err
	}
	return &reported{problems.ExitCode()}
}

func runConfigShow(a *app) error {
	cluster, err := config.Load(a.global.File)
	if err != nil {
		return err
	}
	text := config.Show(cluster)
	if a.global.Output == formatJSON {
		if text, err = yaml.YAMLToJSON(text); err != nil {
			return fmt.Errorf("showing %s as JSON: %w", a.global.File, err)
		}
	}
	_, err = a.streams.Out.Write(text)
	return err
}

func runConfigSchema(a *app) error {
	schema, err := config.Schema()
	if err != nil {
		return err
	}
	_, err = a.streams.Out.Write(schema)
	return err
}
