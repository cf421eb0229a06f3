package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/internal/command/cli"
	"github.com/waybill-dev/waybill/internal/command/contract"
	"github.com/waybill-dev/waybill/internal/command/runner"
	"github.com/waybill-dev/waybill/internal/delivery/scan"
	"github.com/waybill-dev/waybill/internal/door/github"
	"github.com/waybill-dev/waybill/internal/door/registry"
	"github.com/waybill-dev/waybill/internal/evidence"
	"github.com/waybill-dev/waybill/internal/imageref"
	"github.com/waybill-dev/waybill/internal/outcome"
)

// annotated is how many blocking findings become annotations: GitHub shows ten
// of a step, and the refusal itself is one.
const annotated = 9

func runScan(ctx context.Context, call *cli.Call) error {
	options, err := scanOptions(call)
	if err != nil {
		return err
	}
	client := registryClient(call, options.Image.Registry())
	child, err := scanChild(call, options.Image.Registry())
	if err != nil {
		return err
	}
	cache, err := cacheDir(call)
	if err != nil {
		return err
	}
	from := scan.DatabaseOptions{
		Repository: strings.Join(call.In.List("db_repository"), ","), CacheDir: cache, MaxAge: call.In.Duration("db_max_age"),
		Offline: call.In.Bool("offline"), Now: time.Now(), Warn: call.Sayf,
	}
	database, err := scan.OpenDatabase(ctx, client, from)
	if err != nil {
		return err
	}
	options.JavaDatabase = func(ctx context.Context) (string, error) {
		from.Repository = call.In.String("java_db_repository")
		call.Sayf("the image has JAR files: fetching %s", from.Repository)
		return scan.OpenJavaDatabase(ctx, client, from)
	}
	call.Sayf("scan     %s with the database of %s", options.Image.Short(), database.UpdatedAt.Format("2006-01-02 15:04 UTC"))
	result, err := scan.Scan(ctx, client, database, child, options)
	if err != nil {
		return err
	}
	return reportScan(ctx, call, client, result)
}

func scanOptions(call *cli.Call) (scan.Options, error) {
	o := scan.Options{VEX: call.In.List("vex"), Now: time.Now}
	var err error
	if o.Image, err = imageref.Parse(call.In.String("image")); err != nil {
		return o, outcome.Usagef("%w", err)
	}
	if call.In.Has("baseline") {
		if o.Baseline, err = imageref.Parse(call.In.String("baseline")); err != nil {
			return o, outcome.Usagef("--baseline: %w", err)
		}
	}
	o.Threshold = evidence.Threshold{Severity: evidence.Severity(call.In.String("severity")), IgnoreUnfixed: call.In.Bool("ignore_unfixed")}
	if call.In.Has("waivers") {
		if o.Threshold.Waivers, err = scan.ReadWaivers(call.In.String("waivers")); err != nil {
			return o, outcome.Usagef("%w", err)
		}
	}
	for _, file := range o.VEX {
		if _, err := os.Stat(file); err != nil {
			return o, outcome.Usagef("--vex: %w", err)
		}
	}
	return o, nil
}

func scanChild(call *cli.Call, host string) (scan.Child, error) {
	executable, err := os.Executable()
	if err != nil {
		executable = "" // then PATH alone
	}
	path, err := scan.FindChild(executable)
	if err != nil {
		return scan.Child{}, err
	}
	username, password := registryCredentials(call, host)
	return scan.Child{
		Path: path, Getenv: call.Getenv, Timeout: scan.DefaultTimeout, Words: call.Stderr,
		Username: username, Password: password,
	}, nil
}

// cacheDir is where Waybill keeps what it can fetch again. In Actions that is
// the job's own directory: what lies in the home of a runner that jobs share may
// have been written by a job that runs an application's code.
func cacheDir(call *cli.Call) (string, error) {
	if dir := call.Env(contract.EnvCacheHome); filepath.IsAbs(dir) {
		return filepath.Join(dir, "waybill"), nil
	}
	if dir := call.Runner.Context().Temp; call.Runner.Active() && filepath.IsAbs(dir) {
		return filepath.Join(dir, "waybill-cache"), nil
	}
	if home := call.Env(contract.EnvHome); home != "" {
		return filepath.Join(home, ".cache", "waybill"), nil
	}
	return "", errors.New("no place for the vulnerability database: set HOME or XDG_CACHE_HOME")
}

// reportScan writes every report, of a refused image too: a refusal is a result
// that gets its record.
func reportScan(ctx context.Context, call *cli.Call, client *registry.Client, result scan.Result) error {
	report, err := json.MarshalIndent(result.Report, "", "  ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	report = append(report, '\n')
	sarif, err := result.SARIF()
	if err != nil {
		return err
	}
	for input, data := range map[string][]byte{"report": report, "sarif": sarif, "sbom_cyclonedx": result.CycloneDX, "sbom_spdx": result.SPDX} {
		if path := call.In.String(input); path != "" {
			if err := os.WriteFile(path, data, 0o644); err != nil { //nolint:gosec // reports are for others to read
				return fmt.Errorf("write --%s: %w", input, err)
			}
		}
	}
	if call.In.Bool("upload_sarif") {
		if err := uploadSARIF(ctx, call, sarif); err != nil {
			return err
		}
	}
	documents := ""
	if call.In.Bool("documents") {
		ref, err := pushDocuments(ctx, client, result, report)
		if err != nil {
			return err
		}
		documents = ref.String()
	}
	if call.In.String("format") == "json" {
		_, err = call.Stdout.Write(report)
	} else {
		_, err = fmt.Fprint(call.Stdout, result.Text())
	}
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if err := scanOutputs(call, result, documents); err != nil {
		return err
	}
	if result.Refused() {
		return outcome.Refusedf("%s", result.Refusal())
	}
	return nil
}

// uploadSARIF hands the findings to code scanning, for the commit of the run.
func uploadSARIF(ctx context.Context, call *cli.Call, sarif []byte) error {
	job := call.Runner.Context()
	repository, err := github.ParseRepository(job.Repository)
	if err != nil || job.SHA == "" || job.Ref == "" {
		return outcome.Usagef("--upload-sarif works in a run of GitHub Actions: there is no GITHUB_REPOSITORY, GITHUB_SHA and GITHUB_REF here")
	}
	api, err := githubClient(call)
	if err != nil {
		return err
	}
	return api.UploadSARIF(ctx, repository, job.SHA, job.Ref, sarif)
}

func pushDocuments(ctx context.Context, client *registry.Client, result scan.Result, report []byte) (imageref.Ref, error) {
	image, err := imageref.Parse(result.Report.Image)
	if err != nil {
		return imageref.Ref{}, err
	}
	return client.PushDocuments(ctx, image.Name(), evidence.ArtifactScan, []registry.Document{
		{Name: evidence.FileReport, MediaType: "application/json", Data: report},
		{Name: evidence.FileCycloneDX, MediaType: "application/vnd.cyclonedx+json", Data: result.CycloneDX},
		{Name: evidence.FileSPDX, MediaType: "application/spdx+json", Data: result.SPDX},
	})
}

func scanOutputs(call *cli.Call, result scan.Result, documents string) error {
	verdict := "pass"
	if result.Refused() {
		verdict = "refused"
	}
	outputs := [][2]string{{"verdict", verdict}, {"documents", documents}, {"sarif", call.In.String("sarif")}, {"report", call.In.String("report")}}
	counts := result.Report.Counts()
	for _, s := range []evidence.Severity{evidence.Critical, evidence.High, evidence.Medium, evidence.Low} {
		outputs = append(outputs, [2]string{string(s), fmt.Sprint(counts[s])})
	}
	if c := result.Baseline; c != nil {
		outputs = append(outputs, [2]string{"new", fmt.Sprint(len(c.New))}, [2]string{"fixed", fmt.Sprint(len(c.Fixed))})
	}
	for _, o := range outputs {
		if err := call.Output(o[0], o[1]); err != nil {
			return err
		}
	}
	for i, f := range result.Blocking {
		if i == annotated {
			break
		}
		if err := call.Runner.Annotate(runner.Annotation{Level: runner.Failure, Title: "waybill scan", Message: scan.Annotation(f)}); err != nil {
			return err
		}
	}
	return call.Runner.Summary(result.Summary())
}
