package restore

import (
	"fmt"

	"github.com/jomctl/jomctl/internal/home/claim"
	"github.com/jomctl/jomctl/internal/home/git"
)

// Situation is what a starting controller finds.
type Situation struct {
	// Empty: the home holds nothing that is kept.
	Empty bool
	// Marker is the home's; Marked is false without one.
	Marker claim.Marker
	Marked bool
	// Main and OwnerRef are what the remote has; zero for nothing.
	Main, OwnerRef git.Hash
	// Owner is what OwnerRef says.
	Owner claim.Owner
	// ByController: the remote's branch ends with a commit that a controller made.
	ByController bool
}

// Action is what to do.
type Action int

// The actions.
const (
	// Adopt: there is no history yet; it begins with this home.
	Adopt Action = iota
	// Continue: the history is this home's.
	Continue
	// Restore: the home is empty; it becomes what the history says.
	Restore
	// Refuse: the home and the history do not belong together; Why and Fix say more. The home's state is kept as a branch.
	Refuse
)

// Decision is an action with its reason.
type Decision struct {
	Action Action
	Why    string
	Fix    string
}

// Decide is the rule. It has no side effects.
func Decide(s Situation) Decision {
	ours := s.Marked && s.Marker.Is(s.OwnerRef)
	switch {
	case s.Marked && s.Marker.Restoring != "" && !s.Main.IsZero():
		return Decision{Action: Restore, Why: "a restore was cut off"}
	case s.Main.IsZero() && s.OwnerRef.IsZero():
		return Decision{Action: Adopt, Why: "the repository holds no history yet"}
	case s.OwnerRef.IsZero() && !s.ByController:
		return Decision{Refuse, "the branch holds commits that no controller made", "name a branch of its own in jenkins.scm.branch, or an empty repository"}
	case s.Main.IsZero():
		return Decision{Refuse, "the repository says who owns the history, but the branch is not there", "name the branch in jenkins.scm.branch that it was"}
	case s.Empty:
		return Decision{Action: Restore, Why: "the home is empty"}
	case ours:
		return Decision{Action: Continue, Why: "the home is the last owner's"}
	case !s.Marked:
		return Decision{Refuse, "the home was never this history's, and both hold something", "move the home away to get the history's files, or name another branch in jenkins.scm.branch to keep the home's"}
	case s.Marker.Home != s.Owner.Home:
		return Decision{Refuse, "the home belongs to another history", "move the home away to get the history's files, or name the repository and branch that it belongs to"}
	default:
		return Decision{Refuse, fmt.Sprintf("the home is of epoch %d, and the history has gone on without it to epoch %d on %s", s.Marker.Epoch, s.Owner.Epoch, s.Owner.Host),
			"move the home away, and it is made anew from the history"}
	}
}
