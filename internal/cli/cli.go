// Package cli is the command line: one file per command, and the one place that decides about exit codes and messages.
package cli

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/jomctl/jomctl/internal/ui"
)

// Main runs the program with the process's arguments and streams and returns the exit code. The first interrupt stops
// what is running so that it can be resumed, the second ends the process at once.
func Main() int { return system(commands) }

func system(commands func(*app) []*cobra.Command) int {
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	defer stop()
	context.AfterFunc(ctx, stop)
	return execute(ctx, os.Args[1:], ui.System(), commands)
}

// stopSignals leaves out what was ignored from the start, because listening would end that: nohup ignores SIGHUP.
func stopSignals() []os.Signal {
	return slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, signal.Ignored)
}

// Run is the program: it carries out one command line and returns its exit code. Tests call it with buffers.
func Run(ctx context.Context, args []string, streams ui.Streams) int {
	return execute(ctx, args, streams, commands)
}

// commands are all commands, in the order of the help.
func commands(a *app) []*cobra.Command {
	return []*cobra.Command{
		newInstallCommand(a),
		newPreflightCommand(a),
		newPlanCommand(a),
		newStatusCommand(a),
		newDashboardCommand(a), newWatchCommand(a),
		newDoctorCommand(a),
		newSupportBundleCommand(a),
		newProveCommand(a),
		newAgentsCommand(a), newControlCommand(a), newDestroyCommand(a),
		newHomeCommand(a),
		newUpgradeCommand(a), newReleasesCommand(a), newUpgradePlatformCommand(a),
		newBackupCommand(a), newBackupsCommand(a), newRestoreCommand(a),
		newDrillCommand(a), newTuneCommand(a),
		newResumeCommand(a),
		newRollbackCommand(a),
		newUnlockCommand(a),
		newConfigCommand(a),
		newSourcesCommand(a),
		newReleaseCommand(a),
		newImagesCommand(a, dockerTools()),
		newVersionCommand(a),
		newSuperviseCommand(),
	}
}

// app is what the commands share: one value per command line.
type app struct {
	streams  ui.Streams
	global   globalOptions
	log      *logFile
	commands func(*app) []*cobra.Command
	// again is set while resume or rollback carries out the command that a journal is about.
	again *again
	// lines are the events of a run, where its command writes them. It is one for all that a command line carries out.
	lines *eventLines
	// accepted says that the command line was understood; an error before that is one of usage.
	accepted bool
}

func execute(ctx context.Context, args []string, streams ui.Streams, commands func(*app) []*cobra.Command) int {
	a := &app{streams: streams, commands: commands, log: &logFile{}, lines: &eventLines{}}
	defer a.log.Close()
	code := a.report(a.run(ctx, args))
	if err := a.lines.end(code); err != nil {
		fmt.Fprintln(streams.Err, "Error:", err)
	}
	return code
}

// run carries out args, which may be those of the process or of a journal.
func (a *app) run(ctx context.Context, args []string) error {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.accepted {
		return &usageError{err}
	}
	return err
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "jomctl",
		Short: "Jenkins on Mesos: install it, keep it working",
		Long: "jomctl takes bare machines, or this one, to a working, highly available Jenkins on Mesos.\n\n" +
			"Exit codes: 0 done or nothing to do, 1 failed, 2 usage or configuration, 3 refused by a check,\n" +
			"4 done with findings, 5 locked by another run, 6 stopped and resumable, 7 rolled back, 130 interrupted.",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			a.accepted = true
			if a.global.LogFile != "" {
				return a.openLog(cmd.Name())
			}
			return nil
		},
	}
	root.SetIn(a.streams.In)
	root.SetOut(a.streams.Out)
	root.SetErr(a.streams.Err)
	a.global.bind(root.PersistentFlags())
	root.AddCommand(a.commands(a)...)
	return root
}

// logger is the log of this run; before it is opened nothing is written.
func (a *app) logger() *slog.Logger { return a.log.logger() }
