// Package conformance runs real clients against the built server: the AWS SDK
// for Go, boto3 and the AWS CLI, each unchanged but for the endpoint. It is a
// module of its own so that their dependencies stay out of Steppe's.
package conformance

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

const example = "../examples/order-approval"

// serve starts the built server with the functions of the example.
func serve(t *testing.T) (endpoint string) {
	t.Helper()
	binary, err := filepath.Abs("../bin/steppe")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "serve", "--addr", "127.0.0.1:0", "--data", t.TempDir(), "--json")
	cmd.Dir = example
	return start(t, cmd)
}

// start starts a server and gives its URL.
func start(t *testing.T, cmd *exec.Cmd) (endpoint string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v (run make build)", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var told struct{ Endpoint string }
	if err := json.Unmarshal(line, &told); err != nil {
		t.Fatal(err)
	}
	return told.Endpoint
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(example, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSDKForGo(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := sfn.New(sfn.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(serve(t)),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	m, err := client.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
		Name: aws.String("order-approval"), Definition: aws.String(read(t, "order-approval.asl.json")),
		RoleArn: aws.String("arn:aws:iam::000000000000:role/r"), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("sales")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	x, err := client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: m.StateMachineArn, Input: aws.String(read(t, "input.json"))})
	if err != nil {
		t.Fatal(err)
	}
	token := awaitToken(ctx, t, client, x.ExecutionArn)
	if _, err := client.SendTaskSuccess(ctx, &sfn.SendTaskSuccessInput{TaskToken: &token, Output: aws.String(`{"approved":true}`)}); err != nil {
		t.Fatal(err)
	}
	d := awaitEnd(ctx, t, client, x.ExecutionArn)
	want := `[{"sku":"book","parcel":"P-001"},{"sku":"lamp","parcel":"P-002"},{"sku":"chair","parcel":"P-003"}]`
	if d.Status != types.ExecutionStatusSucceeded || aws.ToString(d.Output) != want {
		t.Errorf("%v %s", d.Status, aws.ToString(d.Output))
	}
	history(ctx, t, client, x.ExecutionArn)
	stop(ctx, t, client, m.StateMachineArn)
	readBack(ctx, t, client, m.StateMachineArn)
}

// awaitToken follows the history to the task that waits, and takes its token
// from its parameters, as the function that is handed it would.
func awaitToken(ctx context.Context, t *testing.T, client *sfn.Client, arn *string) string {
	t.Helper()
	for ctx.Err() == nil {
		page, err := client.GetExecutionHistory(ctx, &sfn.GetExecutionHistoryInput{ExecutionArn: arn, ReverseOrder: true})
		if err != nil {
			t.Fatal(err)
		}
		if page.Events[0].Type == types.HistoryEventTypeTaskSubmitted {
			for _, ev := range page.Events {
				if ev.TaskScheduledEventDetails != nil {
					var parameters struct{ Payload struct{ Token string } }
					if err := json.Unmarshal([]byte(*ev.TaskScheduledEventDetails.Parameters), &parameters); err != nil {
						t.Fatal(err)
					}
					return parameters.Payload.Token
				}
			}
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Fatal("no task waits for its token")
	return ""
}

func awaitEnd(ctx context.Context, t *testing.T, client *sfn.Client, arn *string) *sfn.DescribeExecutionOutput {
	t.Helper()
	for {
		d, err := client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: arn})
		if err != nil {
			t.Fatal(err)
		}
		if d.Status != types.ExecutionStatusRunning {
			return d
		}
		<-time.After(50 * time.Millisecond)
	}
}

// history reads all pages of a history.
func history(ctx context.Context, t *testing.T, client *sfn.Client, arn *string) {
	t.Helper()
	next := int64(1)
	pages := sfn.NewGetExecutionHistoryPaginator(client, &sfn.GetExecutionHistoryInput{ExecutionArn: arn, MaxResults: 10})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range page.Events {
			if ev.Id != next {
				t.Errorf("event %d, want %d", ev.Id, next)
			}
			next++
		}
	}
	if next < 60 {
		t.Errorf("only %d events", next-1)
	}
}

func stop(ctx context.Context, t *testing.T, client *sfn.Client, machine *string) {
	t.Helper()
	x, err := client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: machine, Input: aws.String(read(t, "input.json"))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: x.ExecutionArn, Error: aws.String("Changed"), Cause: aws.String("mind")}); err != nil {
		t.Fatal(err)
	}
	d := awaitEnd(ctx, t, client, x.ExecutionArn)
	if d.Status != types.ExecutionStatusAborted || aws.ToString(d.Error) != "Changed" || d.StopDate == nil {
		t.Errorf("stopped: %v %v", d.Status, aws.ToString(d.Error))
	}
}

func readBack(ctx context.Context, t *testing.T, client *sfn.Client, machine *string) {
	t.Helper()
	list, err := client.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: machine})
	if err != nil || len(list.Executions) != 2 {
		t.Errorf("list: %v, %v", list, err)
	}
	tags, err := client.ListTagsForResource(ctx, &sfn.ListTagsForResourceInput{ResourceArn: machine})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "sales" {
		t.Errorf("tags: %v, %v", tags, err)
	}
	var missing *types.ExecutionDoesNotExist
	_, err = client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: aws.String("arn:aws:states:us-east-1:000000000000:execution:order-approval:nobody")})
	if !errors.As(err, &missing) {
		t.Errorf("an unknown execution: %v", err)
	}
	if _, err := client.DeleteStateMachine(ctx, &sfn.DeleteStateMachineInput{StateMachineArn: machine}); err != nil {
		t.Error(err)
	}
}

// TestScripts runs the clients of other languages.
func TestScripts(t *testing.T) {
	for _, script := range []struct {
		name, command string
		needs         []string
	}{
		{"boto3", "python3", []string{"-c", "import boto3"}},
		{"awscli", "bash", []string{"-c", "command -v aws"}},
	} {
		t.Run(script.name, func(t *testing.T) {
			if out, err := exec.Command(script.command, script.needs...).CombinedOutput(); err != nil {
				t.Fatalf("%s is not installed: %s", script.name, out)
			}
			file := map[string]string{"boto3": "testdata/boto3_client.py", "awscli": "testdata/awscli.sh"}[script.name]
			cmd := exec.Command(script.command, file, serve(t), example)
			cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=")
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "all well") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
