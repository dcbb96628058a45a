{{/* Made by wharf from wharf.yaml (items). Change that file and render again. */}}

{{/* Name and version of the chart, as the label helm.sh/chart has it. */}}
{{- define "items.chart" -}}
{{- printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The labels that select the replicas of a component; they never change. */}}
{{- define "items.selectorLabels" -}}
app.kubernetes.io/name: {{ .component | quote }}
app.kubernetes.io/part-of: "items"
{{- end }}

{{/* The labels of every object: call with (dict "root" $ "component" "web"). */}}
{{- define "items.labels" -}}
helm.sh/chart: {{ include "items.chart" .root }}
{{ include "items.selectorLabels" . }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.environment }}
app.kubernetes.io/environment: {{ . | quote }}
{{- end }}
{{- end }}

{{/* An image that the project builds: call with (dict "root" $ "image" .Values.services.web.image). */}}
{{- define "items.image" -}}
{{- $tag := .image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion -}}
{{- with .root.Values.image.registry }}{{ . | trimSuffix "/" }}/{{ end }}{{ .image.repository }}:{{ $tag }}
{{- end }}
