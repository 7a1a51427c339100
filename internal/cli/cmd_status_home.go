package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/jomctl/jomctl/internal/status"
)

// homeText is what a report says of the home: who owns it, what is pushed, and the last backup that counts.
func homeText(w io.Writer, r status.Report) {
	if h := r.Controller.Home; h != nil && h.Epoch > 0 {
		fmt.Fprintf(w, "Home: epoch %d", h.Epoch)
		if h.Owner != "" {
			fmt.Fprintf(w, " on %s", h.Owner)
		}
		switch {
		case !h.Unpushed.IsZero():
			fmt.Fprintf(w, ", changes since %s not pushed", r.Checked.Sub(h.Unpushed).Round(time.Second))
		case !h.LastPush.IsZero():
			fmt.Fprintf(w, ", everything pushed, last %s", h.LastPush.Local().Format("2006-01-02 15:04:05"))
		}
		fmt.Fprintln(w)
	}
	if b := r.Backup; b != nil {
		fmt.Fprintf(w, "Backup: %s", b.Repository)
		if b.Good.IsZero() {
			fmt.Fprint(w, ", none counts")
		} else {
			fmt.Fprintf(w, ", the last that counts is %.8s of %s", b.GoodID, b.Good.Local().Format("2006-01-02 15:04"))
		}
		fmt.Fprintln(w)
	}
	if r.Controller.Home != nil || r.Backup != nil {
		fmt.Fprintln(w)
	}
}
