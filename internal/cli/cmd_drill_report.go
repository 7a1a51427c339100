package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/lifecycle/drill"
	"github.com/jomctl/jomctl/internal/ui"
)

func newDrillHistory(a *app) *cobra.Command {
	return &cobra.Command{Use: "history", Short: "Show how each scenario has gone over time", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			results, err := drill.History(a.global.stateDir())
			if err != nil {
				return err
			}
			trends := drill.Trends(results)
			if a.global.Output == formatJSON {
				if trends == nil {
					trends = []drill.Trend{}
				}
				return a.writeJSON(map[string]any{"trends": trends})
			}
			if len(trends) == 0 {
				a.say("no drill has been run here")
				return nil
			}
			table := ui.NewTable("NAME", "PASSED", "TARGET", "LAST", "BEST", "MEDIAN", "WORST", "SPREAD", "CHANGE", "LOST")
			seconds := func(v float64) string {
				if v < 0 {
					return "never"
				}
				return fmt.Sprintf("%.1fs", v)
			}
			for _, t := range trends {
				table.Row(t.Name, fmt.Sprintf("%d/%d", t.Passed, t.Runs), fmt.Sprintf("%.0fs", t.Target), seconds(t.Last), seconds(t.Best), seconds(t.Median), seconds(t.Worst), seconds(t.Spread), fmt.Sprintf("%+.1fs", t.Change),
					fmt.Sprintf("%d configurations, %d builds", t.LostConfigurations, t.LostBuilds))
			}
			return table.Write(a.streams.Out, 0)
		}}
}

func newDrillReport(a *app) *cobra.Command {
	format, out, all := "json", "", false
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Write the results of the last run as JSON, JUnit XML or one HTML file",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			results, err := drill.History(a.global.stateDir())
			if err != nil {
				return err
			}
			if len(results) == 0 {
				return fmt.Errorf("reporting: no drill has been run here: there is nothing in %s", filepath.Join(a.global.stateDir(), "drill"))
			}
			shown := drill.LastRun(results)
			if all {
				shown = results
			}
			var data []byte
			switch format {
			case "json":
				data, err = drill.JSON(shown)
			case "junit":
				data, err = drill.JUnit(shown)
			case "html":
				data, err = drill.HTML(shown, drill.Trends(results))
			default:
				return &usageError{fmt.Errorf("--format %s: want json, junit or html", format)}
			}
			if err != nil {
				return err
			}
			if out != "" {
				return os.WriteFile(out, data, 0o644)
			}
			_, err = a.streams.Out.Write(data)
			return err
		},
	}
	cmd.Flags().StringVar(&format, "format", format, "json, junit or html")
	cmd.Flags().StringVar(&out, "to", "", "the file to write; left out, it is stdout")
	cmd.Flags().BoolVar(&all, "all", false, "all runs, and not the last one alone")
	return cmd
}
