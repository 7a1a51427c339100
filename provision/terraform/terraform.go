// Package terraform makes and removes the machines of the targets docker, aws and openstack with Terraform, and reads hosts from the
// output of a user's own Terraform. What is applied is always a plan file that was shown before.
package terraform

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"
)

//go:embed docker aws openstack
var modules embed.FS

// layout is the number that modules put into terraform_data.identity; it is raised when an older state cannot be carried on.
const layout = 1

// Backend says where the state is, other than in the driver's folder.
type Backend struct {
	// Type is a backend of Terraform: s3, http, pg, consul, ...
	Type string
	// ConfigFile is the user's file of `key = "value"` lines (terraform init -backend-config). It is passed on by its path and
	// never copied, as it may hold credentials; Terraform itself keeps what it read in .terraform, mode 0600 in a folder 0700.
	ConfigFile string
}

// Options describe one set of machines.
type Options struct {
	// Dir is where modules, plan files and the state lie, <state folder>/terraform/<target>. It is created with mode 0700.
	Dir string
	// Target is docker, aws or openstack.
	Target string
	// Variables are the inputs of the module.
	Variables Variables
	// Backend is nil for a state in Dir.
	Backend *Backend
	// Program is the path of terraform; empty means the one on PATH, else the one in Go's bin folder.
	Program string
	// Progress gets one line at a time of what Terraform does, without colour; may be nil. It is called from one goroutine.
	Progress func(line string)
}

// Driver drives one module. It is not for use by several goroutines at once; Terraform's own lock keeps other processes out.
type Driver struct {
	options Options
	tf      *tfexec.Terraform
	// engine is set where the machines are containers.
	engine engine
}

// Targets are the targets that have a module.
func Targets() []string { return []string{"docker", "aws", "openstack"} }

// New finds Terraform (*ProgramError), writes the module of the target and its inputs into the folder, and initialises it. It
// makes no machine. A state that cannot be read on is an error of Plan, not of New.
func New(ctx context.Context, o Options) (*Driver, error) {
	if !slices.Contains(Targets(), o.Target) {
		return nil, fmt.Errorf("target %q has no Terraform module; there are %s", o.Target, strings.Join(Targets(), ", "))
	}
	module, err := fs.Sub(modules, o.Target)
	if err != nil {
		return nil, err
	}
	d, err := start(ctx, o, module)
	if err == nil && o.Target == "docker" {
		d.engine = dockerEngine
	}
	return d, err
}

// start is New for any module.
func start(ctx context.Context, o Options, module fs.FS) (*Driver, error) {
	if err := o.Variables.check(); err != nil {
		return nil, err
	}
	program, err := find(ctx, o.Program)
	if err != nil {
		return nil, err
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, err
	}
	if err := writeModule(o, module); err != nil {
		return nil, fmt.Errorf("write the Terraform module of target %s: %w", o.Target, err)
	}
	tf, err := open(o.Dir, program)
	if err != nil {
		return nil, err
	}
	d := &Driver{options: o, tf: tf}
	return d, d.init(ctx)
}

// open prepares running terraform in a folder. Variables of the environment that change what a command does behind the back of the
// one who reads the plan are left out.
func open(dir, program string) (*tfexec.Terraform, error) {
	tf, err := tfexec.NewTerraform(dir, program)
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "TF_CLI_ARGS") && !strings.HasPrefix(name, "TF_VAR_") && name != "TF_DATA_DIR" {
			env[name] = value
		}
	}
	if err := tf.SetEnv(tfexec.CleanEnv(env)); err != nil {
		return nil, err
	}
	// An interrupted terraform waits for the calls that are under way at the cloud before it writes the state.
	return tf, tf.SetWaitDelay(5 * time.Minute)
}

// writeModule writes the files of the module, and removes those of a module that has lost a file.
func writeModule(o Options, module fs.FS) error {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return err
	}
	files := map[string][]byte{}
	entries, err := fs.ReadDir(module, ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if files[e.Name()], err = fs.ReadFile(module, e.Name()); err != nil {
			return err
		}
	}
	if files[variablesFile], err = o.Variables.json(); err != nil {
		return err
	}
	if o.Backend != nil {
		files["backend.tf"] = fmt.Appendf(nil, "terraform {\n  backend %q {}\n}\n", o.Backend.Type)
	}
	old, err := filepath.Glob(filepath.Join(o.Dir, "*.tf"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, keep := files[filepath.Base(path)]; !keep {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(o.Dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (d *Driver) init(ctx context.Context) error {
	var options []tfexec.InitOption
	if b := d.options.Backend; b != nil && b.ConfigFile != "" {
		file, err := filepath.Abs(b.ConfigFile)
		if err != nil {
			return err
		}
		if _, err := os.Stat(file); err != nil {
			return fmt.Errorf("backend %s: %w", b.Type, err)
		}
		options = append(options, tfexec.BackendConfig(file))
	}
	// The first download of a cloud's provider takes minutes.
	d.tf.SetStdout(&listener{progress: d.options.Progress})
	defer d.tf.SetStdout(io.Discard)
	if err := d.tf.Init(ctx, options...); err != nil {
		return d.explain("initialise", err, nil)
	}
	return nil
}

// Inventory are the machines that the state knows, in the order of the inputs; empty where none was made yet.
func (d *Driver) Inventory(ctx context.Context) ([]Host, error) {
	outputs, err := d.tf.Output(ctx)
	if err != nil {
		return nil, d.explain("read the inventory", err, nil)
	}
	meta, ok := outputs[inventoryOutput]
	if !ok {
		return nil, nil
	}
	return parseInventory(meta.Value, d.options.Dir, inventoryOutput)
}

// InventoryOf reads hosts from an output of the user's own Terraform in dir, which must be initialised and applied. The output
// is a list of objects with name and address; roles, attributes, user, port (default 22) and ssh_address may be left out. program
// is as in Options.
func InventoryOf(ctx context.Context, dir, output, program string) ([]Host, error) {
	program, err := find(ctx, program)
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("folder of your Terraform: %w", err)
	}
	tf, err := open(dir, program)
	if err != nil {
		return nil, err
	}
	outputs, err := tf.Output(ctx)
	if err != nil {
		return nil, explain(dir, "read output "+output, err, nil)
	}
	meta, ok := outputs[output]
	if !ok {
		return nil, &StateError{Dir: dir, Reason: fmt.Sprintf("there is no output %q; there are: %s", output, known(outputs)),
			Fix: fmt.Sprintf("terraform -chdir=%s apply, or name another output", dir)}
	}
	if meta.Sensitive {
		return nil, &StateError{Dir: dir, Reason: fmt.Sprintf("output %q is marked sensitive, and hosts are shown", output),
			Fix: "name an output with the hosts alone"}
	}
	return parseInventory(meta.Value, dir, output)
}

func known(outputs map[string]tfexec.OutputMeta) string {
	var names []string
	for name := range outputs {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "none (is it applied?)"
	}
	return strings.Join(names, ", ")
}

// cancelled says that a command ended because the caller wished it.
func cancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
