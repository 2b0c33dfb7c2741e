package canary_test

import (
	"bufio"
	"os/exec"
	"testing"

	"mlxbar/backend/testkit/canary"
)

func TestAWordIsFoundInProcesses(t *testing.T) {
	for name, c := range map[string]struct{ argument, variable bool }{"an argument": {argument: true}, "a variable": {variable: true}} {
		t.Run(name, func(t *testing.T) {
			w := canary.New()
			cmd := exec.Command("sh", "-c", "echo ready; read line") // until its stdin closes
			if c.argument {
				cmd.Args = append(cmd.Args, w.Word("key"))
			}
			if c.variable {
				cmd.Env = []string{"SOME_KEY=" + w.Word("key")}
			}
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
				t.Fatalf("it says %q, %v", line, err)
			}
			places, err := canary.Process(cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			found(t, w, places...)
			stdin.Close()
			cmd.Wait() // read has met the end of the file
		})
	}
}
