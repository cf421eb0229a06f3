package notice_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/internal/config"
	"github.com/waybill-dev/waybill/internal/delivery/notice"
)

func body(t *testing.T, e notice.Event, format string) (map[string]any, string) {
	t.Helper()
	data, id, err := notice.Body(e, format)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	return fields, id
}

func TestEventHasAnIDOfTheFact(t *testing.T) {
	t.Parallel()
	e := notice.Event{Event: config.EventDeployed, Repository: "acme/config", App: "api", Env: "prod", Commit: "c1", URL: "https://one"}
	fields, id := body(t, e, config.NotifyJSON)
	if fields["schema"] != notice.Schema || fields["event"] != "deployed" || fields["id"] != id || fields["env"] != "prod" {
		t.Errorf("%v", fields)
	}
	e.URL, e.Reason = "https://another run", "said again"
	if _, again := body(t, e, config.NotifyJSON); again != id {
		t.Errorf("the same fact has the ids %s and %s", id, again)
	}
	e.Commit = "c2"
	if _, other := body(t, e, config.NotifyJSON); other == id {
		t.Error("another deployment has the same id")
	}
	e.Reason = strings.Repeat("x", 5000)
	if fields, _ := body(t, e, config.NotifyJSON); len(fields["reason"].(string)) > 2100 {
		t.Error("the reason has no bound")
	}
}

// What a pull request or a commit says mentions nobody in Slack, and links nowhere.
func TestSlackTextIsEscaped(t *testing.T) {
	t.Parallel()
	fields, _ := body(t, notice.Event{
		Event: config.EventRefused, App: "<!channel>", Env: "prod", URL: "https://ok/run",
		Reason: "<@U1> & <https://evil|your bank>\n*bold* `code`",
	}, config.NotifySlack)
	text := fields["text"].(string)
	for _, not := range []string{"<!", "<@", "<https://evil", "\n"} {
		if strings.Contains(text, not) {
			t.Errorf("%q is in %s", not, text)
		}
	}
	if !strings.HasPrefix(text, "*refused*: &lt;!channel&gt; in prod: &lt;@U1&gt; &amp; ") ||
		!strings.HasSuffix(text, " <https://ok/run|more>") {
		t.Errorf("%s", text)
	}
	fields, _ = body(t, notice.Event{Event: config.EventRefused, URL: "https://ok/|<!channel>"}, config.NotifySlack)
	if text := fields["text"].(string); strings.Contains(text, "channel") {
		t.Errorf("an address gets through: %s", text)
	}
}
