"""Closed months keep when their fiscal year began: statements open with what was charged since."""

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reports", "0008_places_of_lines"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="monthclose",
            name="monthclose_keeps_its_figures",
        ),
        migrations.AddField(
            model_name="monthclose",
            name="fiscal_year_began",
            field=models.DateField(
                help_text="The first day of the fiscal year that the month was in when it was locked. Blank: it was locked before statements had an opening amount.",
                null=True,
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="monthclose",
            trigger=pgtrigger.compiler.Trigger(
                name="monthclose_keeps_its_figures",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.status <> 'open' AND (OLD.calls, OLD.tokens, OLD.input_tokens, OLD.cached_tokens, OLD.cache_write_tokens, OLD.output_tokens, OLD.reasoning_tokens, OLD.cost, OLD.provider_cost, OLD.estimated_cost, OLD.month, OLD.zone, OLD.fiscal_year_began, OLD.starts_at, OLD.ends_at, OLD.checklist, OLD.locked_by, OLD.locked_at, OLD.adjusted_tokens, OLD.adjusted_cost, OLD.unallocated, OLD.unallocated_reason) IS DISTINCT FROM (NEW.calls, NEW.tokens, NEW.input_tokens, NEW.cached_tokens, NEW.cache_write_tokens, NEW.output_tokens, NEW.reasoning_tokens, NEW.cost, NEW.provider_cost, NEW.estimated_cost, NEW.month, NEW.zone, NEW.fiscal_year_began, NEW.starts_at, NEW.ends_at, NEW.checklist, NEW.locked_by, NEW.locked_at, NEW.adjusted_tokens, NEW.adjusted_cost, NEW.unallocated, NEW.unallocated_reason))",
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update rows from % table', TG_TABLE_NAME;",
                    hash="cd9458987f70835f7e2f8508096a5b9879dbf0c9",
                    operation="UPDATE",
                    pgid="pgtrigger_monthclose_keeps_its_figures_3a2c6",
                    table="reports_monthclose",
                    when="BEFORE",
                ),
            ),
        ),
    ]
