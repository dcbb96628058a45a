since=$(date --utc --date '30 days ago' +%F)
gh api --paginate "repos/$REPOSITORY/actions/workflows/deploy.yml/runs?status=completed&created=>=$since&per_page=100" \
  --jq '.workflow_runs[] | select(.conclusion == "success" or .conclusion == "failure")
    | {branch: .head_branch, at: .updated_at, good: (.conclusion == "success")}' > runs.jsonl
jq --slurp --raw-output '
  def share(part; whole): if whole == 0 then "none yet" else "\(part * 1000 / whole | round / 10) %" end;
  # From the first failure of a branch to the next run that goes well.
  def recoveries: group_by(.branch) | map(sort_by(.at) | reduce .[] as $run ({down: null, times: []};
      if $run.good | not then .down //= ($run.at | fromdate)
      elif .down then {down: null, times: (.times + [($run.at | fromdate) - .down])}
      else . end) | .times) | add // [];
  length as $all | (map(select(.good)) | length) as $good | recoveries as $recoveries
  | "| figure | last 30 days | goal |",
    "| --- | --- | --- |",
    "| pipelines that end well | \(share($good; $all)) | > \(env.GOAL_SUCCESS) |",
    "| deployments a day | \($good * 10 / 30 | round / 10) | \(env.GOAL_DEPLOYMENTS)+ |",
    "| change failure | \(share($all - $good; $all)) | < \(env.GOAL_CHANGE_FAILURE) |",
    "| time to recovery | \(if $recoveries == [] then "nothing to recover from" else "\(($recoveries | add) / ($recoveries | length) / 60 | round) min" end) | < \(env.GOAL_RECOVERY) |"
' runs.jsonl >> "$GITHUB_STEP_SUMMARY"
