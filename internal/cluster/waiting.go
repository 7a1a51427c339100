package cluster

import "context"

// Waiting says in one sentence why an app has fewer tasks than it should have, "" when it has them: what the last offers
// lacked, how its last task ended, or when the next try is due.
func (m Marathon) Waiting(ctx context.Context, appID string) (string, error) {
	app, err := m.App(ctx, appID)
	if err != nil {
		return "", err
	}
	if len(app.Current()) >= app.Instances && len(app.Outdated()) == 0 {
		return "", nil
	}
	w := wait{m: m, id: appID}
	return w.why(ctx, app), nil
}
